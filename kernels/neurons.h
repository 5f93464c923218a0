// Every neuron equation of ONNX-SNN, once. The host compiler, nvcc and NVRTC compile this same file, so it includes
// nothing on the device and holds no loop over time, no memory access and no ONNX Runtime.
//
// A neuron is a struct with
//   kParameters, kStates   how many values a neuron has that stay (a threshold) and that evolve (a voltage)
//   Constants<S>           its attributes in the arithmetic type S (float or double)
//   parameter(k, value, c) parameter k made ready, once before the first step
//   step(x, state, parameter, c, step)   one time step: takes the current x, updates state, returns the output
// `step` counts the time steps from 0 and goes on over the chunks of a long run.
// Time constants are in seconds, voltages in units of the neuron model; the equations' sources stand in snn_ops/ops.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define SNN_FUNCTION __device__ __forceinline__
#define SNN_DEVICE 1
#else
#include <cmath>
#define SNN_FUNCTION inline __attribute__((always_inline))
#endif

namespace onnx_snn {
namespace math {
#ifdef SNN_DEVICE
SNN_FUNCTION float expm1(float x) { return ::expm1f(x); }
SNN_FUNCTION double expm1(double x) { return ::expm1(x); }
SNN_FUNCTION float log1p(float x) { return ::log1pf(x); }
SNN_FUNCTION double log1p(double x) { return ::log1p(x); }
SNN_FUNCTION float floor(float x) { return ::floorf(x); }
SNN_FUNCTION double floor(double x) { return ::floor(x); }
SNN_FUNCTION float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
SNN_FUNCTION double fma(double a, double b, double c) { return ::fma(a, b, c); }
SNN_FUNCTION float rint(float x) { return ::rintf(x); }
SNN_FUNCTION double rint(double x) { return ::rint(x); }
#else
SNN_FUNCTION float expm1(float x) { return __builtin_expm1f(x); }
SNN_FUNCTION double expm1(double x) { return __builtin_expm1(x); }
SNN_FUNCTION float log1p(float x) { return __builtin_log1pf(x); }
SNN_FUNCTION double log1p(double x) { return __builtin_log1p(x); }
SNN_FUNCTION float floor(float x) { return __builtin_floorf(x); }
SNN_FUNCTION double floor(double x) { return __builtin_floor(x); }
#if defined(__FMA__) || defined(__aarch64__)
SNN_FUNCTION float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
SNN_FUNCTION double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else  // without the instruction, fma is a slow call, and only the last bit of a float32 depends on it
SNN_FUNCTION float fma(float a, float b, float c) { return a * b + c; }
SNN_FUNCTION double fma(double a, double b, double c) { return a * b + c; }
#endif
SNN_FUNCTION float rint(float x) { return __builtin_rintf(x); }
SNN_FUNCTION double rint(double x) { return __builtin_rint(x); }
#endif

// Written so that a NaN stays a NaN: a comparison with NaN is false and leaves x as it is.
template <class S>
SNN_FUNCTION S clip(S x, S low, S high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}
}  // namespace math

// What most neurons share.
struct Neuron {
  static constexpr bool kBounded = false;  // true: step holds where is_inside(state[0]), General::step everywhere
  template <class S, class Constants>
  static SNN_FUNCTION S parameter(int, S value, const Constants&) {
    return value;
  }
};

// --------------------------------------------------------------------------------------------- integrate and fire

struct IFConstants {
  long long max_spikes;  // per step; 0: no limit
};

// At most one spike a step.  u = v + x;  s = threshold * [u >= threshold];  v = u - s
struct IF : Neuron {
  static constexpr int kParameters = 1, kStates = 1;
  template <class S>
  using Constants = IFConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>&, long long) {
    S u = state[0] + x;
    S spike = u >= parameter[0] ? parameter[0] : S(0);
    state[0] = u - spike;
    return spike;
  }
};

// Up to max_spikes a step and, with a second state (the net number of spikes sent), spikes that are taken back:
//   n = clip(floor(u / threshold), 0, max_spikes);  n = -1 where u < 0 and the net count is above 0
template <bool kSigned>
struct IFCounting : Neuron {
  static constexpr int kParameters = 1, kStates = 2;
  template <class S>
  using Constants = IFConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, long long) {
    S u = state[0] + x;
    S n = math::floor(u / parameter[0]);
    n = n > S(0) ? n : S(0);
    n = c.max_spikes > 0 && n > S(c.max_spikes) ? S(c.max_spikes) : n;
    if (kSigned) n = (u < S(0)) & (state[1] > S(0)) ? S(-1) : n;
    S spike = n * parameter[0];
    state[0] = u - spike;
    state[1] += n;
    return spike;
  }
};

// ------------------------------------------------------------------------------------- leaky integrate and fire

template <class S>
struct LIFConstants {
  S tau_rc, tau_ref, min_voltage, dt;
  S minus_rate;     // -1 / tau_rc
  double exact_dt;  // amplitude / dt is taken in float64: 1 / 0.001f would be 999.99994
};

// nengo.LIF: exact solution between spikes, spike time inside the step, refractory time to the fraction of a step.
struct LIF : Neuron {
  static constexpr int kParameters = 1, kStates = 2;
  template <class S>
  using Constants = LIFConstants<S>;

  template <class S>
  static SNN_FUNCTION S parameter(int, S amplitude, const Constants<S>& c) {
    return S(double(amplitude) / c.exact_dt);
  }
  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, long long) {
    S voltage = state[0], refractory_time = state[1] - c.dt;
    S delta = math::clip(c.dt - refractory_time, S(0), c.dt);
    voltage -= (x - voltage) * math::expm1(-delta / c.tau_rc);
    bool spiked = voltage > S(1);
    S t_spike = c.dt + c.tau_rc * math::log1p(-(voltage - S(1)) / (x - S(1)));
    state[0] = spiked ? S(0) : (voltage < c.min_voltage ? c.min_voltage : voltage);
    state[1] = spiked ? c.tau_ref + t_spike : refractory_time;
    return spiked ? parameter[0] : S(0);
  }
};

// The same for dt / tau_rc <= kLargestStep in float32, without a branch or a call, so that a compiler vectorises it.
// With v <= 1 before the step, exp and log see arguments bounded by dt / tau_rc, where short series are exact to float32:
//   expm1(y) = y + y^2/2! + ... + y^5/5!         log1p(-n/m) = 2 atanh(q) = 2 (q + q^3/3 + q^5/5), q = -n/(2m - n)
// (the first terms left out are 4e-8 and 9e-9 of the result). A voltage above 1 lies outside (it can only be an initial
// one): such a neuron takes the general equation once.
struct LIFSmallStep : LIF {
  static constexpr bool kBounded = true;
  using General = LIF;
  static constexpr double kLargestStep = 0.125;

  template <class S>
  static SNN_FUNCTION bool is_inside(S voltage) {
    return !(voltage > S(1));
  }
  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, long long) {
    const S height = parameter[0];
    S refractory_time = state[1] - c.dt;
    S delta = math::clip(c.dt - refractory_time, S(0), c.dt);
    S y = delta * c.minus_rate;
    S series = math::fma(y, math::fma(y, math::fma(y, S(1. / 120), S(1. / 24)), S(1. / 6)), S(1. / 2));
    S expm1 = math::fma(y * y, series, y);
    S voltage = math::fma(state[0] - x, expm1, state[0]);
    bool spiked = voltage > S(1);
    S n = voltage - S(1), m2n = math::fma(S(2), x - S(1), -n);
    S q = n / (spiked ? m2n : S(1)), z = q * q;
    S log1p = S(-2) * q * math::fma(z, math::fma(z, S(1. / 5), S(1. / 3)), S(1));
    S after_spike = c.tau_ref + math::fma(c.tau_rc, log1p, c.dt);
    voltage = voltage < c.min_voltage ? c.min_voltage : voltage;
    state[0] = spiked ? S(0) : voltage;
    state[1] = spiked ? after_spike : refractory_time;
    return spiked ? height : S(0);
  }
};

// ------------------------------------------------------------------------------- functions of the mean over time

struct NoConstants {};

// y_t = (x_0 + ... + x_t) / (t + 1)
struct RunningMean : Neuron {
  static constexpr int kParameters = 0, kStates = 1;
  template <class S>
  using Constants = NoConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>&, long long step) {
    state[0] += x;
    return state[0] / S(step + 1);
  }
};

// The inverse: y_t = (t + 1) x_t - t x_{t-1}, so that the mean of y_0 ... y_t is x_t
struct RunningDifference : Neuron {
  static constexpr int kParameters = 0, kStates = 1;
  template <class S>
  using Constants = NoConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>&, long long step) {
    S total = S(step + 1) * x, difference = total - state[0];
    state[0] = total;
    return difference;
  }
};

struct SigmaDeltaConstants {
  long long max_spikes;  // of either sign per step; 0: no limit
};

// Signed spikes whose running sum follows (t + 1) x_t; the state is the net number of spikes sent:
//   n = clip(round((t + 1) x / threshold) - sent, -max_spikes, max_spikes);  s = n threshold;  sent += n
struct SigmaDelta : Neuron {
  static constexpr int kParameters = 1, kStates = 1;
  template <class S>
  using Constants = SigmaDeltaConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, long long step) {
    S n = math::rint(S(step + 1) * x / parameter[0]) - state[0];
    n = c.max_spikes > 0 ? math::clip(n, S(-c.max_spikes), S(c.max_spikes)) : n;
    state[0] += n;
    return n * parameter[0];
  }
};

}  // namespace onnx_snn

// Every neuron equation of ONNX-SNN, once. The host compiler, nvcc and NVRTC compile this same file, so it includes
// nothing on the device and holds no loop over time, no memory access and no ONNX Runtime.
//
// A neuron is a struct with
//   kParameters, kStates   how many values a neuron has that stay (a threshold) and that evolve (a voltage)
//   Constants<S>           its attributes in the arithmetic type S (float or double)
//   parameter(k, value, c) parameter k made ready, once before the first step
//   step(x, state, parameter, c, clock)  one time step: takes the current x, updates state, returns the output
// Time constants are in seconds, voltages in units of the neuron model; the equations' sources stand in snn_ops/ops.
// Products are not contracted with sums (-ffp-contract=off, -fmad=false) except where math::fma says so: every device
// gives the same bits.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define SNN_FUNCTION __device__ __forceinline__
#define SNN_DEVICE 1
#else
#define SNN_FUNCTION inline __attribute__((always_inline))
#endif

namespace onnx_snn {

// Where a step stands.
struct Clock {
  long long step;     // 0, 1, ...; goes on over the chunks of a long run
  long long n_steps;  // of this call
  long long neuron;   // index in [B, ...]; goes on over batches where the caller says so
  float last_digit;   // 2^-n_steps
};

namespace math {
#ifdef SNN_DEVICE
SNN_FUNCTION float exp(float x) { return ::expf(x); }
SNN_FUNCTION double exp(double x) { return ::exp(x); }
SNN_FUNCTION float expm1(float x) { return ::expm1f(x); }
SNN_FUNCTION double expm1(double x) { return ::expm1(x); }
SNN_FUNCTION float log(float x) { return ::logf(x); }
SNN_FUNCTION double log(double x) { return ::log(x); }
SNN_FUNCTION float log1p(float x) { return ::log1pf(x); }
SNN_FUNCTION double log1p(double x) { return ::log1p(x); }
SNN_FUNCTION float abs(float x) { return ::fabsf(x); }
SNN_FUNCTION double abs(double x) { return ::fabs(x); }
SNN_FUNCTION float floor(float x) { return ::floorf(x); }
SNN_FUNCTION double floor(double x) { return ::floor(x); }
SNN_FUNCTION float rint(float x) { return ::rintf(x); }
SNN_FUNCTION double rint(double x) { return ::rint(x); }
SNN_FUNCTION float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
SNN_FUNCTION double fma(double a, double b, double c) { return ::fma(a, b, c); }
#else
SNN_FUNCTION float exp(float x) { return __builtin_expf(x); }
SNN_FUNCTION double exp(double x) { return __builtin_exp(x); }
SNN_FUNCTION float expm1(float x) { return __builtin_expm1f(x); }
SNN_FUNCTION double expm1(double x) { return __builtin_expm1(x); }
SNN_FUNCTION float log(float x) { return __builtin_logf(x); }
SNN_FUNCTION double log(double x) { return __builtin_log(x); }
SNN_FUNCTION float log1p(float x) { return __builtin_log1pf(x); }
SNN_FUNCTION double log1p(double x) { return __builtin_log1p(x); }
SNN_FUNCTION float abs(float x) { return __builtin_fabsf(x); }
SNN_FUNCTION double abs(double x) { return __builtin_fabs(x); }
SNN_FUNCTION float floor(float x) { return __builtin_floorf(x); }
SNN_FUNCTION double floor(double x) { return __builtin_floor(x); }
SNN_FUNCTION float rint(float x) { return __builtin_rintf(x); }
SNN_FUNCTION double rint(double x) { return __builtin_rint(x); }
#if defined(__FMA__) || defined(__aarch64__)
SNN_FUNCTION float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
SNN_FUNCTION double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else  // without the instruction, fma is a slow call, and only the last bit of a float32 depends on it
SNN_FUNCTION float fma(float a, float b, float c) { return a * b + c; }
SNN_FUNCTION double fma(double a, double b, double c) { return a * b + c; }
#endif
#endif

// 0 for what is below `smallest` in size.
template <bool kSome, class S>
SNN_FUNCTION S without_smallest(S x, S smallest) {
  return kSome && abs(x) < smallest ? S(0) : x;
}

// Written so that a NaN stays a NaN: a comparison with NaN is false and leaves x as it is.
template <class S>
SNN_FUNCTION S clip(S x, S low, S high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// A number's bits.
template <class S>
struct Binary;
template <>
struct Binary<float> {
  using Bits = unsigned int;
  static constexpr int kBias = 127, kMantissa = 23;
  static SNN_FUNCTION Bits bits(float x) { return __builtin_bit_cast(Bits, x); }
  static SNN_FUNCTION float from(Bits x) { return __builtin_bit_cast(float, x); }
};
template <>
struct Binary<double> {
  using Bits = unsigned long long;
  static constexpr int kBias = 1023, kMantissa = 52;
  static SNN_FUNCTION Bits bits(double x) { return __builtin_bit_cast(Bits, x); }
  static SNN_FUNCTION double from(Bits x) { return __builtin_bit_cast(double, x); }
};

// 2^-n; 0 where float32 has no such number.
SNN_FUNCTION float half_to(long long n) {
  return Binary<float>::from(n < 127 ? unsigned(127 - n) << 23 : n < 150 ? 1u << (149 - n) : 0u);
}

// x, or 0 where it is NaN or infinity. By a mask: of a selection, compilers make a branch where x is one already.
template <class S>
SNN_FUNCTION S finite(S x) {
  using B = Binary<S>;
  using Bits = typename B::Bits;
  constexpr Bits kExponent = Bits(2 * B::kBias + 1) << B::kMantissa;
  const Bits bits = B::bits(x), is_finite = (bits & kExponent) != kExponent;
  return B::from(bits & (Bits(0) - is_finite));
}

// c - a b, rounded once.
#if defined(SNN_DEVICE) || defined(__FMA__) || defined(__aarch64__)
SNN_FUNCTION float minus_product(float c, float a, float b) { return fma(-a, b, c); }
SNN_FUNCTION double minus_product(double c, double a, double b) { return fma(-a, b, c); }
#else  // of a with 29 bits at most, a float32 product is exact in float64
SNN_FUNCTION float minus_product(float c, float a, float b) { return float(double(c) - double(a) * double(b)); }
SNN_FUNCTION double minus_product(double c, double a, double b) { return __builtin_fma(-a, b, c); }
#endif

// x modulo `unit`, exact, where 0 <= x / unit < 2^14 (float64: 2^28). `reciprocal` is a little more than 1 / unit, so that the
// quotient is right or one too large; either way the difference is smaller than the unit and has no more digits than it.
template <class S>
SNN_FUNCTION S modulo(S x, S unit, S reciprocal) {
  const S left = minus_product(x, floor(x * reciprocal), unit);
  return left < S(0) ? left + unit : left;
}
}  // namespace math

// Sums that grow without bound are two numbers, whose sum is the value: the sum since a while ago, and its base, the sum
// before. Every kSteps steps of a run the sum moves into the base. Otherwise a float32 sum of inputs of one size would
// stay where it is after 2^24 of them.
namespace sums {
constexpr long long kSteps = 64;

// After `steps` steps of a run it is time to rebase.
SNN_FUNCTION bool is_due(long long steps) { return steps % kSteps == 0; }
// It becomes so within n_steps more.
SNN_FUNCTION bool is_due_within(long long steps, long long n_steps) { return steps % kSteps + n_steps >= kSteps; }

// The value. Where no base is other than 0 it is the sum, and a kernel need not read bases.
template <bool kWithBase, class S>
SNN_FUNCTION S value(S sum, S base) {
  return kWithBase ? base + sum : sum;
}

// Moves the sum into the base where it is not below `least` in size; what rounding takes from the base stays in the sum. A sum
// that is not finite does not move. Then 0 takes the place of what is not finite, in both. D. Knuth, The art of computer
// programming 2, section 4.2.2, theorem B.
template <class S>
SNN_FUNCTION void rebase(S least, S& sum, S& base) {
  const S total = base + sum, taken = total - base;
  const S rest = (base - (total - taken)) + (sum - taken);
  const bool moves = math::abs(sum) >= least && sum - sum == S(0);
  base = math::finite(moves ? total : base);
  sum = math::finite(moves ? rest : sum);
}
}  // namespace sums

// What most neurons share.
struct Neuron {
  static constexpr bool kBounded = false;    // true: step holds where is_inside(state[0]), General::step everywhere
  static constexpr bool kTakesMean = false;  // true: x is the mean of the current over all steps of the call
  static constexpr bool kHasStages = false;  // true: step is fire(x, integrate(x, state, c), state, parameter, c)
  static constexpr bool kGivesLast = false;  // true: the output is last(state, steps done), once, after all steps of the call
  static constexpr bool kTakesLast = false;  // true: of a call only the last step's current counts
  static constexpr bool kDecays = false;     // true: states decay; step<false> (of stages: fire<false>) takes `smallest` for 0
  static constexpr bool kHasBases = false;   // true: states are pairs, a sum and its base; step<false> takes all bases for 0,
                                             // step changes none, rebase(state, parameter) does, after steps where sums::is_due
  template <class S, class Constants>
  static SNN_FUNCTION S parameter(int, S value, const Constants&) {
    return value;
  }
};

// Spikes with an area, the amplitude: they are amplitude / dt high. Taken in float64: 1 / 0.001f would be 999.99994.
struct SpikesWithArea : Neuron {
  template <class S, class Constants>
  static SNN_FUNCTION S parameter(int, S amplitude, const Constants& c) {
    return S(double(amplitude) / c.exact_dt);
  }
};

struct NoConstants {};

// --------------------------------------------------------------------------------------------- integrate and fire

struct IFConstants {
  long long max_spikes;  // per step; 0: no limit
};

// A voltage is rebased where it is that many thresholds away from 0: below 0, or where it cannot fire as fast as its current
// asks for.
constexpr int kUsualVoltage = 8;
// A count is rebased long before 2^24, where float32 would lose ones.
constexpr int kUsualCount = 4096;

// At most one spike a step.  u = base + (v + x);  s = threshold * [u >= threshold];  v = (v + x) - s
struct IF : Neuron {
  static constexpr int kParameters = 1, kStates = 2;
  static constexpr bool kHasBases = true;
  template <class S>
  using Constants = IFConstants;

  template <bool kWithBases = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>&, const Clock&) {
    const S u = state[0] + x;
    S spike = sums::value<kWithBases>(u, state[1]) >= parameter[0] ? parameter[0] : S(0);
    state[0] = u - spike;
    return spike;
  }
  template <class S>
  static SNN_FUNCTION void rebase(S* state, const S* parameter) {
    sums::rebase(S(kUsualVoltage) * parameter[0], state[0], state[1]);
  }
};

// Up to max_spikes a step and, with a count of the net number of spikes sent, spikes that are taken back:
//   n = clip(floor(u / threshold), least, max_spikes),  least = 0 or, signed, -min(count, max_spikes)
template <bool kSigned>
struct IFCounting : Neuron {
  static constexpr int kParameters = 1, kStates = 4;
  static constexpr bool kHasBases = true;
  template <class S>
  using Constants = IFConstants;

  template <bool kWithBases = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock&) {
    const bool limited = c.max_spikes > 0;
    const S count = sums::value<kWithBases>(state[2], state[3]), u = state[0] + x;
    S most = S(c.max_spikes), least = S(0);
    if (kSigned) least = limited && count > most ? -most : -count;
    S n = math::floor(sums::value<kWithBases>(u, state[1]) / parameter[0]);
    n = n > least ? n : least;
    n = limited && n > most ? most : n;
    S spike = n * parameter[0];
    state[0] = u - spike;
    state[2] += n;
    return spike;
  }
  template <class S>
  static SNN_FUNCTION void rebase(S* state, const S* parameter) {
    sums::rebase(S(kUsualVoltage) * parameter[0], state[0], state[1]);
    sums::rebase(S(kUsualCount), state[2], state[3]);
  }
};

// Integrate and fire whose voltage stays within `memory` thresholds of 0 and of the threshold; what is beyond is forgotten.
//   u = v + x;  n = clip(floor(u / threshold), least, most);  v = clip(u - n threshold, lowest threshold, highest threshold)
struct BoundedIF : Neuron {
  static constexpr int kParameters = 1, kStates = 1;
  template <class S>
  struct Constants {
    S least, most;      // spikes of a step; least is 0 or, signed, -most
    S lowest, highest;  // voltage in thresholds: -memory, 1 + memory
  };

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock&) {
    const S u = state[0] + x;
    S n = math::floor(u / parameter[0]);
    n = n > c.least ? n : c.least;  // also where u is NaN
    n = n > c.most ? c.most : n;
    const S spike = n * parameter[0], lowest = c.lowest * parameter[0], highest = c.highest * parameter[0];
    S v = u - spike;
    v = v > lowest ? v : lowest;
    state[0] = v > highest ? highest : v;
    return spike;
  }
};

// The neuron of the two-phase schedule: takes the mean current z of all T steps at once and gives the mean of the spikes.
//   n = clip(floor((z T + v) / threshold), least, T max_spikes),  least = 0 or, signed, -T max_spikes;  y = n threshold / T
template <bool kSigned>
struct CountIF : Neuron {
  static constexpr int kParameters = 2, kStates = 0;
  template <class S>
  using Constants = IFConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S*, const S* parameter, const Constants<S>& c, const Clock& clock) {
    S steps = S(clock.n_steps), most = steps * S(c.max_spikes);
    S n = math::floor((x * steps + parameter[1]) / parameter[0]);
    n = math::clip(n, kSigned ? -most : S(0), most);
    return n * parameter[0] / steps;
  }
};

// Few-spike code: T binary digits of the mean current z, the highest first, each a spike of its own height.
//   at the first step r = z + scale 2^-T / 2;  weight_t = scale 2^-(t+1);  fires where r >= weight;  r -= weight;  y = T weight
struct FewSpike : Neuron {
  static constexpr int kParameters = 1, kStates = 2;
  static constexpr bool kTakesMean = true;
  template <class S>
  using Constants = NoConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>&, const Clock& clock) {
    const bool begins = clock.step == 0;
    S weight = begins ? parameter[0] * S(0.5) : state[1];
    S remainder = begins ? x + parameter[0] * S(clock.last_digit) * S(0.5) : state[0];
    bool fires = remainder >= weight;
    state[0] = fires ? remainder - weight : remainder;
    state[1] = weight * S(0.5);
    return fires ? weight * S(clock.n_steps) : S(0);
  }
};

// The mean of a few-spike neuron's spikes, at once: z rounded to T digits.
//   r = clip(z + scale 2^-T / 2, 0, scale);  y = min(r - r mod scale 2^-T, scale (1 - 2^-T))
// r mod last is exact, in two divisions of which none has a quotient that the type could not hold. An r that is 2^28 (float64:
// 2^56) times the last digit or more does not change by what is below this digit.
struct FewSpikeMean : Neuron {
  static constexpr int kParameters = 1, kStates = 0;
  static constexpr double kSmallestDigit = 1. / (1ull << 50) / (1ull << 50);
  template <class S>
  using Constants = NoConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S*, const S* parameter, const Constants<S>&, const Clock& clock) {
    constexpr bool kDouble = sizeof(S) == sizeof(double);
    constexpr S kMany = S(1 << (kDouble ? 28 : 14)), kAbove1 = S(1) + S(1) / S(1ll << (kDouble ? 50 : 21));
    const S scale = parameter[0], digit = scale * S(clock.last_digit), last = digit > S(kSmallestDigit) ? digit : S(0);
    const S coarse = last * kMany, reciprocal = kAbove1 / last;
    const S r = math::clip(x + last * S(0.5), S(0), scale);
    const S below = math::modulo(math::modulo(r, coarse, reciprocal / kMany), last, reciprocal);
    const S y = r < coarse * kMany ? r - below : r, top = scale - last;
    return y > top ? top : y;
  }
};

// ------------------------------------------------------------------------------------- leaky integrate and fire

template <class S>
struct LIFConstants {
  S tau_rc, tau_ref, min_voltage, dt;
  S rate;           // 1 / tau_rc
  S slope;          // of LIFSmallStep's decay; operators/lif.h
  S longest_rest;   // tau_ref + dt: the refractory time left by a spike at the beginning of its step
  double exact_dt;  // for SpikesWithArea
  S tau_n_rate;     // dt / tau_n, of the adaptation
  S inc_n;
  S smallest;  // a voltage or adaptation below it in size becomes 0
};

// nengo.LIF: exact solution between spikes, spike time inside the step, refractory time to the fraction of a step.
struct LIF : SpikesWithArea {
  static constexpr int kParameters = 1, kStates = 2;
  static constexpr bool kDecays = true;
  template <class S>
  using Constants = LIFConstants<S>;

  template <bool kSmallest = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock&) {
    S voltage = state[0], refractory_time = state[1] - c.dt;
    S delta = math::clip(c.dt - refractory_time, S(0), c.dt);
    voltage -= (x - voltage) * math::expm1(-delta / c.tau_rc);
    bool spiked = voltage > S(1);
    S t_spike = c.dt + c.tau_rc * math::log1p(-(voltage - S(1)) / (x - S(1)));
    voltage = voltage < c.min_voltage ? c.min_voltage : voltage;
    state[0] = math::without_smallest<kSmallest>(spiked ? S(0) : voltage, c.smallest);
    state[1] = spiked ? c.tau_ref + t_spike : refractory_time;
    return spiked ? parameter[0] : S(0);
  }
};

// The same for dt / tau_rc <= kLargestStep in float32, without a branch or a call, so that a compiler vectorises it.
// With v <= 1 before the step, exp and log see arguments bounded by dt / tau_rc, where short polynomials are exact to
// float32:
//   expm1(y) = y + y^2 (slope + square y + cube y^2), the least largest relative error on [-1/8, 0]: 2e-8
//   log1p(-n/m) = -2 atanh(q) = -2 q (1 + q^2/3 + q^4/5), q = n/(2m - n): the first term left out is 9e-9 of the result
// The decay of a whole step is expm1's to the last bit (`slope`), as its error would add up from step to step, and delta and
// voltage are rounded as above: in float32 this neuron spikes as NengoDL's, but for one in millions.
// A voltage above 1 lies outside (it can only be an initial one): such a neuron takes the general equation once.
struct LIFSmallStep : LIF {
  static constexpr bool kBounded = true, kHasStages = true;
  using General = LIF;
  static constexpr double kLargestStep = 0.125;
  static constexpr double kSquare = 0.16652728, kCube = 0.03972288;

  template <class S>
  static SNN_FUNCTION bool is_inside(S voltage) {
    return !(voltage > S(1));
  }
  template <class S>
  static SNN_FUNCTION S integrate(S x, const S* state, const Constants<S>& c) {
    // y = -delta / tau_rc, delta = clip(dt - (refractory_time - dt), 0, dt)
    const S two_steps = S(2) * c.dt;
    S y = (math::clip(state[1], c.dt, two_steps) - two_steps) * c.rate;
    S decay = math::fma(y * y, math::fma(y, math::fma(y, S(kCube), S(kSquare)), c.slope), y);
    return state[0] + (state[0] - x) * decay;
  }
  template <bool kSmallest = true, class S>
  static SNN_FUNCTION S fire(S x, S voltage, S* state, const S* parameter, const Constants<S>& c) {
    bool spiked = voltage > S(1);
    S n = voltage - S(1);
    S q = n / math::fma(S(2), x - S(1), -n), z = q * q;  // of a neuron that does not spike: any value, not used
    const S k = S(-2) * c.tau_rc;
    S rest = math::fma(q, math::fma(z, math::fma(z, k * S(1. / 5), k * S(1. / 3)), k), c.longest_rest);
    voltage = voltage < c.min_voltage ? c.min_voltage : voltage;
    state[0] = math::without_smallest<kSmallest>(spiked ? S(0) : voltage, c.smallest);
    state[1] = spiked ? rest : state[1] - c.dt;
    return spiked ? parameter[0] : S(0);
  }
  template <bool kSmallest = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock&) {
    return fire<kSmallest>(x, integrate(x, state, c), state, parameter, c);
  }
};

// nengo.AdaptiveLIF: a LIF neuron whose current an adaptation is taken from.  n += dt / tau_n (inc_n y - n)
template <class Base>
struct Adaptive : Base {
  static constexpr int kStates = 3;
  using General = Adaptive<LIF>;

  template <bool kSmallest = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const LIFConstants<S>& c, const Clock& clock) {
    return adapt<kSmallest>(Base::template step<kSmallest>(x - state[2], state, parameter, c, clock), state, c);
  }
  template <class S>
  static SNN_FUNCTION S integrate(S x, const S* state, const LIFConstants<S>& c) {
    return Base::integrate(x - state[2], state, c);
  }
  template <bool kSmallest = true, class S>
  static SNN_FUNCTION S fire(S x, S voltage, S* state, const S* parameter, const LIFConstants<S>& c) {
    return adapt<kSmallest>(Base::template fire<kSmallest>(x - state[2], voltage, state, parameter, c), state, c);
  }

 private:
  template <bool kSmallest, class S>
  static SNN_FUNCTION S adapt(S spike, S* state, const LIFConstants<S>& c) {
    state[2] = math::without_smallest<kSmallest>(state[2] + c.tau_n_rate * (c.inc_n * spike - state[2]), c.smallest);
    return spike;
  }
};

// Firing rates, of the equilibrium at a current that stays:  y = amplitude / (tau_ref + tau_rc log1p(1 / (x - 1)))
struct LIFRate : Neuron {
  static constexpr int kParameters = 1, kStates = 0;
  template <class S>
  struct Constants {
    S tau_rc, tau_ref;
  };

  template <class S>
  static SNN_FUNCTION S step(S x, S*, const S* parameter, const Constants<S>& c, const Clock&) {
    S j = x - S(1);
    return j > S(0) ? parameter[0] / (c.tau_ref + c.tau_rc * math::log1p(S(1) / j)) : S(0);
  }
};

// The same with a soft threshold, x - 1 replaced by sigma log(1 + exp((x - 1) / sigma)): it has a gradient everywhere.
struct SoftLIFRate : Neuron {
  static constexpr int kParameters = 1, kStates = 0;
  template <class S>
  struct Constants {
    S tau_rc, tau_ref, sigma;
  };

  template <class S>
  static SNN_FUNCTION S step(S x, S*, const S* parameter, const Constants<S>& c, const Clock&) {
    S js = (x - S(1)) / c.sigma;
    S z = c.sigma * (js > S(34) ? js : math::log1p(math::exp(js)));  // softplus
    // far below the threshold z underflows, and log1p(1 / z) is -log z = -js - log sigma
    S q = js > S(-20) ? math::log1p(S(1) / z) : -js - math::log(c.sigma);
    return parameter[0] / (c.tau_ref + c.tau_rc * q);
  }
};

// ------------------------------------------------------------------------------------------------------ Izhikevich

template <class S>
struct IzhikevichConstants {
  S tau_recovery, coupling, reset_voltage, reset_recovery, dt;
  double exact_dt;
};

// nengo.Izhikevich; voltage in mV, the equations' time in ms.
struct Izhikevich : SpikesWithArea {
  static constexpr int kParameters = 1, kStates = 2;
  template <class S>
  using Constants = IzhikevichConstants<S>;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock&) {
    const S height = parameter[0];
    S v = state[0], u = state[1], j = x < S(-30) ? S(-30) : x;
    v += (S(0.04) * (v * v) + S(5) * v + S(140) - u + j) * S(1000) * c.dt;
    bool spiked = v >= S(30);
    v = spiked ? c.reset_voltage : v;
    u += (c.tau_recovery * (c.coupling * v - u)) * S(1000) * c.dt;
    S after_spike = u + c.reset_recovery;
    state[0] = v;
    state[1] = spiked ? after_spike : u;
    return spiked ? height : S(0);
  }
};

// ------------------------------------------------------------------------------------------- spikes from a rate

template <class S>
struct RateConstants {
  S dt;
  double exact_dt;
  long long seed;
};

struct FromRate : SpikesWithArea {
  template <class S>
  using Constants = RateConstants<S>;
};

// nengo.RegularSpiking.  v += dt x;  n = floor(v);  y = n amplitude / dt;  v -= n
struct RegularSpiking : FromRate {
  static constexpr int kParameters = 1, kStates = 1;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock&) {
    S v = state[0] + c.dt * x;
    S n = math::floor(v);
    state[0] = v - n;
    return parameter[0] * n;
  }
};

// Philox 4x32-10 (J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011): four random words for a counter
// and a key. The counter is (neuron, step), so a spike depends on nothing but the seed, the neuron and the step.
struct Philox {
  unsigned word[4];

  SNN_FUNCTION Philox(unsigned long long seed, const Clock& clock) {
    const unsigned long long neuron = static_cast<unsigned long long>(clock.neuron);
    const unsigned long long step = static_cast<unsigned long long>(clock.step);
    unsigned c0 = unsigned(neuron), c1 = unsigned(neuron >> 32), c2 = unsigned(step), c3 = unsigned(step >> 32);
    unsigned k0 = unsigned(seed), k1 = unsigned(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const unsigned long long a = 0xD2511F53ull * c0, b = 0xCD9E8D57ull * c2;
      c0 = unsigned(b >> 32) ^ c1 ^ k0;
      c1 = unsigned(b);
      c2 = unsigned(a >> 32) ^ c3 ^ k1;
      c3 = unsigned(a);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
  }
  // In [0, 1), a multiple of 2^-24: the same number in float32 and float64.
  template <class S>
  SNN_FUNCTION S uniform(int k) const {
    return S(int(word[k] >> 8)) * S(1. / 16777216);
  }
};

// nengo.StochasticSpiking.  n = floor(dt |x|), and one more with the probability of the rest; y = sign(x) n amplitude / dt
struct StochasticSpiking : FromRate {
  static constexpr int kParameters = 1, kStates = 0;

  template <class S>
  static SNN_FUNCTION S step(S x, S*, const S* parameter, const Constants<S>& c, const Clock& clock) {
    const Philox random(static_cast<unsigned long long>(c.seed), clock);
    S expected = c.dt * (x < S(0) ? -x : x);
    S n = math::floor(expected), rest = expected - n;
    n += random.uniform<S>(0) < rest ? S(1) : S(0);
    return parameter[0] * n * (x < S(0) ? S(-1) : S(1));
  }
};

// nengo.PoissonSpiking.  n ~ Poisson(dt |x|), as the sum of four draws with a quarter of the mean each, by inversion.
// Means above 64 a step count as 64. exp is made of products and sums only, so that every device draws the same.
struct PoissonSpiking : FromRate {
  static constexpr int kParameters = 1, kStates = 0;
  static constexpr int kMost = 64;  // spikes of one draw: beyond 1e-17 in probability

  template <class S>
  static SNN_FUNCTION S exp_of_minus(S x) {  // 0 <= x <= 16: (exp of -x/32 by its series)^32
    S e = x * S(1. / 32), t = S(1);
    for (int k = 8; k >= 1; --k) t = S(1) - e * S(1. / k) * t;
    for (int k = 0; k < 5; ++k) t *= t;
    return t;
  }
  template <class S>
  static SNN_FUNCTION S draw(S mean, S uniform) {
    S p = exp_of_minus(mean), cumulative = p, n = S(0);
    for (int k = 1; k <= kMost && uniform >= cumulative && p > S(1e-8); ++k) {
      n += S(1);
      p = p * mean / S(k);
      cumulative += p;
    }
    return n;
  }
  template <class S>
  static SNN_FUNCTION S step(S x, S*, const S* parameter, const Constants<S>& c, const Clock& clock) {
    const Philox random(static_cast<unsigned long long>(c.seed), clock);
    S mean = c.dt * (x < S(0) ? -x : x) * S(0.25), n = S(0);
    mean = mean > S(16) ? S(16) : mean;
    for (int k = 0; k < 4; ++k) n += draw(mean, random.uniform<S>(k));
    n = mean >= S(0) ? n : mean;  // a NaN stays
    return parameter[0] * n * (x < S(0) ? S(-1) : S(1));
  }
};

// ---------------------------------------------------------------------------------------------------------- synapses

template <class S>
struct FilterConstants {
  S decay;  // exp(-dt / tau)
  S mixed;  // dt / tau exp(-dt / tau)
  S smallest;  // a state below it in size becomes 0
};

// nengo.Lowpass: 1 / (tau s + 1), the input held over each step.  y = a y + (1 - a) x
struct Lowpass : Neuron {
  static constexpr int kParameters = 0, kStates = 1;
  static constexpr bool kDecays = true;
  template <class S>
  using Constants = FilterConstants<S>;

  template <bool kSmallest = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>& c, const Clock&) {
    state[0] = math::without_smallest<kSmallest>(c.decay * state[0] + (S(1) - c.decay) * x, c.smallest);
    return state[0];
  }
};

// nengo.Alpha: 1 / (tau s + 1)^2, as two lowpass filters in a row; state 0 is the first, state 1 the second.
struct Alpha : Neuron {
  static constexpr int kParameters = 0, kStates = 2;
  static constexpr bool kDecays = true;
  template <class S>
  using Constants = FilterConstants<S>;

  template <bool kSmallest = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>& c, const Clock&) {
    S first = state[0], rest = S(1) - c.decay;
    state[0] = math::without_smallest<kSmallest>(c.decay * first + rest * x, c.smallest);
    state[1] = math::without_smallest<kSmallest>(c.decay * state[1] + c.mixed * first + (rest - c.mixed) * x, c.smallest);
    return state[1];
  }
};

// ------------------------------------------------------------------------------- functions of the mean over time

// y_t = (x_0 + ... + x_t) / (t + 1).  sum += x;  y = (base + sum) / (step + 1)
struct RunningMean : Neuron {
  static constexpr int kParameters = 0, kStates = 2;
  static constexpr bool kHasBases = true;
  template <class S>
  using Constants = NoConstants;

  template <bool kWithBases = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>&, const Clock& clock) {
    state[0] += x;
    return sums::value<kWithBases>(state[0], state[1]) / S(clock.step + 1);
  }
  template <class S>
  static SNN_FUNCTION void rebase(S* state, const S*) {
    sums::rebase(S(0), state[0], state[1]);
  }
};

// A mean that forgets: of everything for the first `steps` steps, then the share of an input falls by 1 - 1 / steps a step.
//   mean += (x - mean) / min(step + 1, steps);  y = mean
struct LeakyMean : Neuron {
  static constexpr int kParameters = 0, kStates = 1;
  static constexpr bool kDecays = true;
  template <class S>
  struct Constants {
    S steps;
    S smallest;  // a state below it in size becomes 0
  };

  template <bool kSmallest = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>& c, const Clock& clock) {
    const S done = S(clock.step + 1), count = done < c.steps ? done : c.steps;
    state[0] = math::without_smallest<kSmallest>(state[0] + (x - state[0]) / count, c.smallest);
    return state[0];
  }
};

// RunningMean after the last step only: sums at every step and divides once.
struct TimeMean : RunningMean {
  static constexpr bool kGivesLast = true;

  template <bool kWithBases = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>&, const Clock&) {
    state[0] += x;
    return S(0);
  }
  template <class S>
  static SNN_FUNCTION S last(const S* state, long long steps) {
    return sums::value<true>(state[0], state[1]) / S(steps);
  }
};

// What the last step's input is.
struct TimeLast : Neuron {
  static constexpr int kParameters = 0, kStates = 1;
  static constexpr bool kGivesLast = true, kTakesLast = true;
  template <class S>
  using Constants = NoConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>&, const Clock&) {
    return state[0] = x;
  }
  template <class S>
  static SNN_FUNCTION S last(const S* state, long long) {
    return state[0];
  }
};

// The inverse of RunningMean: y_t = (t + 1) x_t - t x_{t-1}, so that the mean of y_0 ... y_t is x_t
struct RunningDifference : Neuron {
  static constexpr int kParameters = 0, kStates = 1;
  template <class S>
  using Constants = NoConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>&, const Clock& clock) {
    S total = S(clock.step + 1) * x, difference = total - state[0];
    state[0] = total;
    return difference;
  }
};

struct SigmaDeltaConstants {
  long long max_spikes;  // of either sign per step; 0: no limit
};

// Signed spikes whose running sum follows (t + 1) x_t; the state is the net number of spikes sent, with its base:
//   n = clip(round((t + 1) x / threshold) - base - count, -max_spikes, max_spikes);  s = n threshold;  count += n
struct SigmaDelta : Neuron {
  static constexpr int kParameters = 1, kStates = 2;
  static constexpr bool kHasBases = true;
  template <class S>
  using Constants = SigmaDeltaConstants;

  template <bool kWithBases = true, class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock& clock) {
    S total = S(clock.step + 1) * x;
    const S whole = math::rint(total / parameter[0]);
    S n = (kWithBases ? whole - state[1] : whole) - state[0];
    n = c.max_spikes > 0 ? math::clip(n, S(-c.max_spikes), S(c.max_spikes)) : n;
    state[0] += n;
    return n * parameter[0];
  }
  template <class S>
  static SNN_FUNCTION void rebase(S* state, const S*) {
    sums::rebase(S(kUsualCount), state[0], state[1]);
  }
};

// ------------------------------------------------------------------------------------------------ the delta code

// Powers of two, made of their bits: exact, and without a call or a branch.
namespace powers {
constexpr int kMost = 30;  // largest exponent of either sign

// 2^-j for a whole number j that a float can hold.
template <class S>
SNN_FUNCTION S of(int j) {
  using B = math::Binary<S>;
  return B::from(typename B::Bits(B::kBias - j) << B::kMantissa);
}
// What a value has to reach for a spike of the finest height 2^-j, of which no more than kMost counts.
template <class S>
SNN_FUNCTION S reach(S j) {
  return S(0.75) * of<S>(int(math::clip(j, S(-kMost), S(kMost))));
}
// The same, j having grown by so many.
template <class S>
SNN_FUNCTION S refined(S reach, long long by) {
  const S finest = reach * of<S>(int(by < 2 * kMost ? by : 2 * kMost)), limit = S(0.75) * of<S>(kMost);
  return finest < limit ? limit : finest;
}
// How far `spikes` spikes come towards `missing`, one after the other, where each takes at least `reach`; what is not a number
// stays none. A height is the largest 2^-j, j >= 0, of which 3/4 do not exceed what is missing: from 3/4 of the next power on,
// half a mantissa more carries into the exponent.
template <class S>
SNN_FUNCTION S sent(S missing, S reach, long long spikes) {
  using B = math::Binary<S>;
  using Bits = typename B::Bits;
  constexpr Bits kSign = Bits(1) << (8 * sizeof(S) - 1), kHalf = Bits(1) << (B::kMantissa - 1);
  constexpr Bits kOne = Bits(B::kBias) << B::kMantissa;
  S total = S(0);
  for (long long spike = 0; spike < spikes; ++spike) {
    const Bits sign = B::bits(missing) & kSign, size = B::bits(missing) ^ sign;
    const Bits power = (size + kHalf) >> B::kMantissa << B::kMantissa, height = power < kOne ? power : kOne;
    const S sends = B::from(size) < reach ? S(0) : B::from(height | sign);
    total += sends;
    missing -= sends;
  }
  return total + (missing - missing);
}
}  // namespace powers

struct MultiThresholdConstants {
  long long max_spikes;
  long long refinements;
};

// Spikes of height +-threshold 2^-j towards a target x; the state `sent` is what was sent, in thresholds:
//   r = (x - resting_value) / threshold - sent;  up to max_spikes times:  j the smallest >= 0 with |r| >= 3/4 2^-j,
//   if j <= finest_exponent + min(t, refinements):  sent += sign(r) 2^-j, r -= sign(r) 2^-j
//   y = resting_value + threshold sent;  a sent that is not finite becomes 0
// kSpikes: max_spikes as a constant, where a compiler shall see it; 0: any.
template <int kSpikes>
struct MultiThreshold : Neuron {
  static constexpr int kParameters = 3, kStates = 1;
  template <class S>
  using Constants = MultiThresholdConstants;

  template <class S>
  static SNN_FUNCTION S parameter(int k, S value, const MultiThresholdConstants&) {
    return k == 2 ? powers::reach(value) : value;
  }
  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock& clock) {
    const S reach = powers::refined(parameter[2], clock.step < c.refinements ? clock.step : c.refinements);
    const S missing = (x - parameter[1]) / parameter[0] - state[0];
    const S sent = state[0] + powers::sent(missing, reach, kSpikes ? kSpikes : c.max_spikes);
    state[0] = math::finite(sent);
    return parameter[1] + parameter[0] * sent;
  }
};

// The same in the two-phase schedule: the sum of the spikes, at most one in each of n_steps slots.
template <int kSpikes>
struct MultiThresholdSum : MultiThreshold<kSpikes> {
  static constexpr int kStates = 0;
  template <class S>
  using Constants = NoConstants;

  template <class S>
  static SNN_FUNCTION S parameter(int k, S value, const NoConstants&) {
    return k == 2 ? powers::reach(value) : value;
  }
  template <class S>
  static SNN_FUNCTION S step(S x, S*, const S* parameter, const Constants<S>&, const Clock& clock) {
    const S sent = powers::sent((x - parameter[1]) / parameter[0], parameter[2], kSpikes ? kSpikes : clock.n_steps);
    return parameter[1] + parameter[0] * sent;
  }
};

// ------------------------------------------------------------------- version 1: sums and counts that are one number each

// At most one spike a step.  u = v + x;  s = threshold * [u >= threshold];  v = u - s
struct IF1 : Neuron {
  static constexpr int kParameters = 1, kStates = 1;
  template <class S>
  using Constants = IFConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>&, const Clock&) {
    S u = state[0] + x;
    S spike = u >= parameter[0] ? parameter[0] : S(0);
    state[0] = u - spike;
    return spike;
  }
};

// Up to max_spikes a step and, with a second state (the net number of spikes sent), spikes that are taken back:
//   n = clip(floor(u / threshold), least, max_spikes),  least = 0 or, signed, -min(net_count, max_spikes)
template <bool kSigned>
struct IFCounting1 : Neuron {
  static constexpr int kParameters = 1, kStates = 2;
  template <class S>
  using Constants = IFConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock&) {
    const bool limited = c.max_spikes > 0;
    S most = S(c.max_spikes), least = S(0);
    if (kSigned) least = limited && state[1] > most ? -most : -state[1];
    S u = state[0] + x;
    S n = math::floor(u / parameter[0]);
    n = n > least ? n : least;
    n = limited && n > most ? most : n;
    S spike = n * parameter[0];
    state[0] = u - spike;
    state[1] += n;
    return spike;
  }
};

// Signed spikes whose running sum follows (t + 1) x_t; the state is the net number of spikes sent:
//   n = clip(round((t + 1) x / threshold) - sent, -max_spikes, max_spikes);  s = n threshold;  sent += n
struct SigmaDelta1 : Neuron {
  static constexpr int kParameters = 1, kStates = 1;
  template <class S>
  using Constants = SigmaDeltaConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S* parameter, const Constants<S>& c, const Clock& clock) {
    S n = math::rint(S(clock.step + 1) * x / parameter[0]) - state[0];
    n = c.max_spikes > 0 ? math::clip(n, S(-c.max_spikes), S(c.max_spikes)) : n;
    state[0] += n;
    return n * parameter[0];
  }
};

struct RunningMean1 : Neuron {
  static constexpr int kParameters = 0, kStates = 1;
  template <class S>
  using Constants = NoConstants;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>&, const Clock& clock) {
    state[0] += x;
    return state[0] / S(clock.step + 1);
  }
};

struct TimeMean1 : RunningMean1 {
  static constexpr bool kGivesLast = true;

  template <class S>
  static SNN_FUNCTION S step(S x, S* state, const S*, const Constants<S>&, const Clock&) {
    return state[0] += x;
  }
  template <class S>
  static SNN_FUNCTION S last(const S* state, long long steps) {
    return state[0] / S(steps);
  }
};

}  // namespace onnx_snn

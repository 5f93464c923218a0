// Rows on their way from and to memory. Part of cpu/walk.h: compiled once per instruction set, hence the unnamed namespace.
#pragma once
#include <cstdint>
#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace onnx_snn {
namespace {

constexpr int kCacheLine = 64;

// An output of more bytes is gone from the cache before anybody reads it. No system says reliably how large its caches
// are (a virtual machine reports those of the whole host), so this is a typical last-level cache.
constexpr int64_t kLargestCachedOutput = int64_t(32) << 20;

// Asks for a row that is read soon.
template <class T>
inline void prefetch(const T* row, int n) {
  for (int i = 0; i < n; i += kCacheLine / static_cast<int>(sizeof(T))) __builtin_prefetch(row + i, 0, 2);
}

#if defined(__AVX512F__)
using Vector = __m512i;
inline Vector load_vector(const void* in) { return _mm512_loadu_si512(in); }
inline void stream_vector(void* out, Vector v) { _mm512_stream_si512(static_cast<Vector*>(out), v); }
#elif defined(__AVX__)
using Vector = __m256i;
inline Vector load_vector(const void* in) { return _mm256_loadu_si256(static_cast<const Vector*>(in)); }
inline void stream_vector(void* out, Vector v) { _mm256_stream_si256(static_cast<Vector*>(out), v); }
#elif defined(__SSE2__)
using Vector = __m128i;
inline Vector load_vector(const void* in) { return _mm_loadu_si128(static_cast<const Vector*>(in)); }
inline void stream_vector(void* out, Vector v) { _mm_stream_si128(static_cast<Vector*>(out), v); }
#endif

// Copies a row to memory without reading there first the cache lines that it overwrites, as an ordinary store does.
template <class T>
inline void store_past_cache(const T* row, T* out, int n) {
  int i = 0;
#ifdef __SSE2__
  constexpr int kPerVector = sizeof(Vector) / sizeof(T);
  for (; i < n && reinterpret_cast<uintptr_t>(out + i) % sizeof(Vector); ++i) out[i] = row[i];
  for (; i + kPerVector <= n; i += kPerVector) stream_vector(out + i, load_vector(row + i));
#endif
  for (; i < n; ++i) out[i] = row[i];
}

// Such stores are ordered before whatever this thread tells others from here on.
inline void finish_stores() {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

}  // namespace
}  // namespace onnx_snn

// SPDX-License-Identifier: BSD-3-Clause
// Random numbers that are the same everywhere: the distributions of <random> and the functions of libm may differ
// between libraries, so both are done here, from IEEE additions, multiplications and divisions alone.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace weir::lab::synth {

/// Nanoseconds since the start of the capture, or a span of them.
using Nanos = std::uint64_t;

inline constexpr Nanos kMicro = 1000;
inline constexpr Nanos kMilli = 1000 * kMicro;
inline constexpr Nanos kSecond = 1000 * kMilli;

/// SplitMix64's output function (Steele, Lea, Flood 2014): scatters a counter over 64 bits.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
}

/// Natural logarithm of x > 0, to 15 digits.
[[nodiscard]] inline double portable_log(double x) noexcept {
    int exponent = 0;
    const double m = std::frexp(x, &exponent);  // exact
    const double y = (m - 1.0) / (m + 1.0);
    const double square = y * y;
    double term = y;
    double sum = 0.0;
    for (int k = 1; k < 42; k += 2) {  // |y| <= 1/3: the terms left are below 2^-64
        sum += term / k;
        term *= square;
    }
    return 2.0 * sum + exponent * 0.69314718055994530942;
}

/// e to the x, |x| < 700, to 14 digits.
[[nodiscard]] inline double portable_exp(double x) noexcept {
    const double whole = std::floor(x / 0.69314718055994530942 + 0.5);
    const double r = x - whole * 0.69314718055994530942;
    double term = 1.0;
    double sum = 1.0;
    for (int k = 1; k < 18; ++k) {
        term *= r / k;
        sum += term;
    }
    return std::ldexp(sum, static_cast<int>(whole));  // exact
}

/// xoshiro256** (Blackman, Vigna 2018). Equal seeds give equal numbers on every machine. Thread: its owner's.
class Rng {
  public:
    explicit Rng(std::uint64_t seed) noexcept {
        for (auto& word : state_) {
            seed = mix64(seed);
            word = seed;
        }
    }
    [[nodiscard]] std::uint64_t next() noexcept {
        const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const std::uint64_t t = state_[1] << 17U;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate(state_[3], 45);
        return result;
    }
    /// 0 ... n - 1; n of 1 to 2^32. Uneven by less than n / 2^32.
    [[nodiscard]] std::uint64_t below(std::uint64_t n) noexcept {
        return ((next() >> 32U) * n) >> 32U;
    }
    /// lo ... hi; hi - lo below 2^32.
    [[nodiscard]] std::uint64_t between(std::uint64_t lo, std::uint64_t hi) noexcept {
        return lo + below(hi - lo + 1);
    }
    /// [0, 1)
    [[nodiscard]] double unit() noexcept { return static_cast<double>(next() >> 11U) * 0x1p-53; }
    [[nodiscard]] bool chance(double p) noexcept { return unit() < p; }
    /// Time to the next arrival, of mean `mean`.
    [[nodiscard]] Nanos exponential(Nanos mean) noexcept {
        return static_cast<Nanos>(-portable_log(1.0 - unit()) * static_cast<double>(mean));
    }
    /// Bell-shaped about 0 with variance 1, within +-6 (sum of uniforms).
    [[nodiscard]] double normal() noexcept {
        double sum = -6.0;
        for (int i = 0; i < 12; ++i) {
            sum += unit();
        }
        return sum;
    }
    /// Lognormal by its median and the deviation of its logarithm, cut to [lo, hi].
    [[nodiscard]] std::uint64_t lognormal(
        double median, double sigma, std::uint64_t lo, std::uint64_t hi) noexcept {
        const double x = median * portable_exp(sigma * normal());
        return std::clamp(static_cast<std::uint64_t>(std::min(x, 1e18)), lo, hi);
    }
    /// Heavy tail (Pareto of shape `alpha` > 0) from `lo`, cut at `hi`.
    [[nodiscard]] std::uint64_t pareto(std::uint64_t lo, std::uint64_t hi, double alpha) noexcept {
        const double e = std::min(-portable_log(1.0 - unit()) / alpha, 40.0);
        return std::clamp(
            static_cast<std::uint64_t>(std::min(static_cast<double>(lo) * portable_exp(e), 1e18)),
            lo,
            hi);
    }
    /// `base` give or take `share` of it, evenly; share of 0 to 1.
    [[nodiscard]] Nanos around(Nanos base, double share) noexcept {
        return static_cast<Nanos>(static_cast<double>(base) * (1.0 + share * (2.0 * unit() - 1.0)));
    }
    template <typename T, std::size_t N>
    [[nodiscard]] const T& pick(const std::array<T, N>& of) noexcept {
        return of[below(N)];
    }

  private:
    [[nodiscard]] static constexpr std::uint64_t rotate(std::uint64_t x, unsigned by) noexcept {
        return (x << by) | (x >> (64U - by));
    }
    std::array<std::uint64_t, 4> state_{};
};

}  // namespace weir::lab::synth

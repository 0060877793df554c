// SPDX-License-Identifier: BSD-3-Clause
// State that begins as zeros, without the wait of a block instruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::dataplane {

/// A T of zero bytes at `at`, which must be aligned for it. Of `T{}` compilers make `rep stos`, which takes longer to
/// begin than a few lines take to be written.
template <typename T>
T& begin_zeroed(std::byte* at) noexcept {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
#if defined(__SSE2__)
    constexpr std::size_t kVectors = sizeof(T) / sizeof(__m128i);
    constexpr std::size_t kRest = sizeof(T) % sizeof(__m128i);
    [at]<std::size_t... kAt>(std::index_sequence<kAt...>) {
        (_mm_storeu_si128(reinterpret_cast<__m128i*>(at) + kAt, _mm_setzero_si128()), ...);
    }
    (std::make_index_sequence<kVectors>());
    std::memset(at + sizeof(T) - kRest, 0, kRest);
#else
    std::memset(at, 0, sizeof(T));
#endif
    return *std::launder(reinterpret_cast<T*>(at));
}

}  // namespace weir::dataplane

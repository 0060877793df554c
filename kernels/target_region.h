// SPDX-License-Identifier: BSD-3-Clause
// Target regions: code for a wider ISA inside a file that is compiled for the baseline.
//
// Include every header before the region: an inline function that a header defines inside it would be compiled for
// the wide ISA, and the linker may then hand that copy to baseline code. Everything inside has internal linkage.
#pragma once

#if defined(__clang__)
#define WEIR_PRAGMA(text) _Pragma(#text)
#define WEIR_TARGET_REGION_BEGIN(isa) \
    WEIR_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define WEIR_TARGET_REGION_END WEIR_PRAGMA(clang attribute pop)
#define WEIR_UNROLL WEIR_PRAGMA(clang loop unroll(full))
#else
#define WEIR_PRAGMA(text) _Pragma(#text)
#define WEIR_TARGET_REGION_BEGIN(isa) \
    WEIR_PRAGMA(GCC push_options)     \
    WEIR_PRAGMA(GCC target(isa))
#define WEIR_TARGET_REGION_END WEIR_PRAGMA(GCC pop_options)
#define WEIR_UNROLL WEIR_PRAGMA(GCC unroll 64)
#endif

/// For the small steps of a kernel: registers must not travel through memory between them.
#define WEIR_INLINE inline __attribute__((always_inline))

// Instrumented code is for checking, not for speed: unrolled and inlined whole, it takes a compiler many minutes.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_INSTRUMENTED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(WEIR_INSTRUMENTED)
#undef WEIR_UNROLL
#define WEIR_UNROLL
#undef WEIR_INLINE
#define WEIR_INLINE inline
#endif

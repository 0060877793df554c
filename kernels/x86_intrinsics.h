// SPDX-License-Identifier: BSD-3-Clause
// <immintrin.h> for the files that hold an x86 target region; never for headers.
#pragma once

// GCC 12 takes the deliberately undefined registers of its own AVX-512 header for a mistake (GCC PR105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

// SPDX-License-Identifier: BSD-3-Clause
// Where exceptions of libraries end.
#pragma once

#include "config/error.h"

#include <exception>
#include <new>
#include <string>

namespace weir::kernels {

/// Runs `f`, which returns a Result; what it throws becomes the Error.
template <typename F>
[[nodiscard]] auto guarded(const std::string& where, F f) -> decltype(f()) {
    try {
        return f();
    } catch (const std::bad_alloc&) {
        return fail(where, "size", "no memory to load it", "make the model smaller");
    } catch (const std::exception& e) {
        return fail(where, {}, e.what());
    }
}

}  // namespace weir::kernels

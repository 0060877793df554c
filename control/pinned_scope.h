// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "control/control_thread.h"

#include <cstdint>
#include <vector>

#include <spdlog/spdlog.h>

namespace weir::control {

/// Keeps the calling thread, and the threads it starts meanwhile, on some CPUs.
class PinnedScope {
  public:
    explicit PinnedScope(const std::vector<std::uint32_t>& cpus) : before_(cpus_without({})) {
        if (!pin_this_thread(cpus)) {
            spdlog::warn(
                "control: cannot be kept off the workers' CPUs: the process may not run elsewhere");
        }
    }
    ~PinnedScope() { pin_this_thread(before_); }
    PinnedScope(const PinnedScope&) = delete;
    PinnedScope& operator=(const PinnedScope&) = delete;

  private:
    std::vector<std::uint32_t> before_;
};

}  // namespace weir::control

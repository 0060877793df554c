// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment layer, started once a process, with its errors in words.
#pragma once

#include "config/config.h"
#include "config/error.h"

#include <cstdint>
#include <vector>

namespace weir::dataplane {

struct EalOptions {
    config::Eal eal;
    std::vector<std::uint32_t>
        worker_lcores;  ///< empty: the calling thread does all, unpinned (replay)
    bool pci = false;   ///< probe PCI devices …
    std::vector<std::string> pci_devices;  ///< … these only
};

/// Starts EAL. Error if hugepages are required and there are none, an lcore does not exist, may not be used by this
/// process or is another Weir's, or EAL itself fails (its last message is quoted). Once a process; thread: main.
[[nodiscard]] Result<void> start_eal(const EalOptions& options);

/// Undoes start_eal().
void stop_eal() noexcept;

/// True if the machine has free hugepages of any size.
[[nodiscard]] bool free_hugepages() noexcept;

}  // namespace weir::dataplane

// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rx_callback.h"

#include <rte_ethdev.h>
#include <rte_malloc.h>

namespace weir::dataplane {

bool RxCallback::add(std::uint16_t port, RxFunction function, void* data) noexcept {
    port_ = port;
    callback_ = rte_eth_add_rx_callback(port, 0, function, data);
    return callback_ != nullptr;
}

void RxCallback::remove() noexcept {
    // Taken out of the list it is the caller's to free, as nobody polls.
    if (callback_ != nullptr && rte_eth_remove_rx_callback(port_, 0, callback_) == 0) {
        rte_free(const_cast<rte_eth_rxtx_callback*>(callback_));
    }
    callback_ = nullptr;
}

}  // namespace weir::dataplane

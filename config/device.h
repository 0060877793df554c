// SPDX-License-Identifier: BSD-3-Clause
// DPDK device strings, as far as they can be judged without the device.
#pragma once

#include <string>
#include <string_view>

namespace weir::config {

struct DeviceCheck {
    std::string what;  ///< empty: nothing wrong
    std::string fix;
    std::string
        name;  ///< what EAL calls the device: full PCI address in lower case, or the vdev's name
    std::string resource;  ///< the interface it opens, if one: "iface=eth0"
};

/// Looks at "0000:01:00.0" or "net_af_packet0,iface=eth0". A driver that is not known here is accepted (it may be a
/// plug-in) unless it looks like a slip of a known one. Thread: any.
[[nodiscard]] DeviceCheck check_device(std::string_view device);

/// What is wrong with "address:port"; empty: nothing. "" (off) is good. Thread: any.
[[nodiscard]] std::string check_listen(std::string_view listen);

}  // namespace weir::config

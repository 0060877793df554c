// SPDX-License-Identifier: BSD-3-Clause
#include "config/device.h"

#include "config/findings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include <arpa/inet.h>

namespace weir::config {

namespace {

struct Driver {
    std::string_view name;
    std::string_view
        argument;  ///< an argument it cannot do without; several: any of them, split by '|'
    std::string_view example;
};

// The virtual devices of DPDK 22.11 that carry packets (doc/guides/nics).
constexpr std::array kDrivers{
    Driver{"net_af_packet", "iface", "net_af_packet0,iface=eth0"},
    Driver{"net_af_xdp", "iface", "net_af_xdp0,iface=eth0"},
    Driver{"net_bonding", "slave|member", "net_bonding0,mode=1,slave=0000:01:00.0"},
    Driver{"net_failsafe", "", ""},
    Driver{"net_memif", "", ""},
    Driver{"net_null", "", ""},
    Driver{
        "net_pcap",
        "iface|rx_pcap|rx_iface|rx_iface_in|tx_pcap|tx_iface",
        "net_pcap0,rx_pcap=in.pcap"},
    Driver{"net_ring", "", ""},
    Driver{"net_softnic", "firmware", "net_softnic0,firmware=app.cli"},
    Driver{"net_tap", "", ""},
    Driver{"net_tun", "", ""},
    Driver{"net_vdev_netvsc", "iface|mac", "net_vdev_netvsc0,iface=eth1"},
    Driver{"net_vhost", "iface", "net_vhost0,iface=/run/vhost.sock"},
    Driver{"net_virtio_user", "path", "net_virtio_user0,path=/dev/vhost-net"}};

bool is_hex(std::string_view text) {
    return !text.empty() &&
           text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// [domain:]bus:device.function, full and in lower case; empty if it is none.
std::string pci_address(std::string_view text) {
    std::string full = std::count(text.begin(), text.end(), ':') == 1 ? "0000:" + std::string(text)
                                                                      : std::string(text);
    const std::string_view view = full;
    const bool shape = view.size() == 12 && view[4] == ':' && view[7] == ':' && view[10] == '.';
    if (!shape || !is_hex(view.substr(0, 4)) || !is_hex(view.substr(5, 2)) ||
        !is_hex(view.substr(8, 2)) || view[11] < '0' || view[11] > '7') {
        return {};
    }
    std::transform(full.begin(), full.end(), full.begin(), [](char c) {
        return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return full;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto cut = text.find(separator);
        parts.push_back(text.substr(0, cut));
        if (cut == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(cut + 1);
    }
}

/// "net_tap12" -> "net_tap".
std::string_view driver_of(std::string_view name) {
    return name.substr(0, name.find_last_not_of("0123456789") + 1);
}

void check_driver(const std::vector<std::string_view>& parts, DeviceCheck& out) {
    // EAL finds a driver by the start of the name: net_tap0, net_tap_lan.
    const auto at = std::find_if(kDrivers.begin(), kDrivers.end(), [&](const Driver& known) {
        return parts.front().substr(0, known.name.size()) == known.name;
    });
    if (at == kDrivers.end()) {
        std::vector<std::string_view> names;
        for (const Driver& known : kDrivers) {
            names.push_back(known.name);
        }
        const std::string_view driver = driver_of(parts.front());
        const std::string_view near = nearest(driver, names);
        if (!near.empty()) {
            out.what = "unknown driver " + quote(driver);
            out.fix = "did you mean " + quote(near) + "?";
        }
        return;
    }
    if (at->argument.empty()) {
        return;
    }
    const auto wanted = split(at->argument, '|');
    const bool has = std::any_of(parts.begin() + 1, parts.end(), [&](std::string_view part) {
        return std::find(wanted.begin(), wanted.end(), part.substr(0, part.find('='))) !=
               wanted.end();
    });
    if (!has) {
        out.what = std::string(at->name) + " without " + std::string(wanted.front()) + "=";
        out.fix = "write for instance " + quote(at->example);
    }
}

bool is_address(const std::string& host) {
    in_addr v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
        return true;
    }
    in6_addr v6{};
    return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
           inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6) == 1;
}

}  // namespace

DeviceCheck check_device(std::string_view device) {
    DeviceCheck out;
    const std::string forms =
        "write a PCI address (0000:01:00.0) or a virtual device (net_af_packet0,iface=eth0)";
    if (device.find_first_of(" \t") != std::string_view::npos) {
        return {"a blank in " + quote(device), "remove it", {}, {}};
    }
    const auto parts = split(device, ',');
    out.name = pci_address(parts.front());
    const bool pci = !out.name.empty();
    if (!pci) {
        const std::string_view name = parts.front();
        if ((name.substr(0, 4) != "net_" && name.substr(0, 4) != "eth_") ||
            driver_of(name).size() < 5) {
            return {quote(device) + " is not a DPDK device", forms, {}, {}};
        }
        out.name = name;
    }
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const std::string_view part = parts[i];
        const auto equals = part.find('=');
        if (part.empty() || equals == 0 || (equals == std::string_view::npos && !pci)) {
            return {quote(part) + " is not an argument", "write key=value between commas", {}, {}};
        }
        if (part.substr(0, equals) == "iface") {
            out.resource = part;
        }
    }
    if (!pci) {
        check_driver(parts, out);
    }
    return out;
}

std::string check_listen(std::string_view listen) {
    if (listen.empty()) {
        return {};
    }
    const auto colon = listen.rfind(':');
    if (colon == std::string_view::npos || (listen.front() == '[' && listen.back() == ']')) {
        return "no port in " + quote(listen);
    }
    const std::string_view port = listen.substr(colon + 1);
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (port.empty() || error != std::errc{} || end != port.data() + port.size() ||
        number > 65535) {
        return quote(port) + " is not a port, 0 to 65535";
    }
    if (!is_address(std::string(listen.substr(0, colon)))) {
        return quote(listen.substr(0, colon)) + " is not an IP address";
    }
    return {};
}

}  // namespace weir::config

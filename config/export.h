// SPDX-License-Identifier: BSD-3-Clause
// What weir.yaml says about events that leave the gateway.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// Where EVE lines go; the words are Suricata's.
enum class EveTarget : std::uint8_t { regular, unix_stream, unix_dgram };

enum class EveEvent : std::uint8_t { flow, alert, stats };

struct Eve {
    std::string file;  ///< or socket; "" = off
    EveTarget filetype = EveTarget::regular;
    std::vector<EveEvent> types{EveEvent::flow, EveEvent::alert, EveEvent::stats};
    std::uint32_t stats_s = 8;      ///< between two events of type stats
    std::uint32_t rotate_mb = 100;  ///< 0: not by size
    std::uint32_t rotate_s = 0;     ///< 0: not by time
    std::uint32_t keep = 8;         ///< rotated files that are kept
    friend bool operator==(const Eve&, const Eve&) = default;
};

enum class IpfixTransport : std::uint8_t { udp, tcp };

struct Ipfix {
    std::string collector;  ///< address:port; "" = off
    IpfixTransport transport = IpfixTransport::udp;
    std::uint32_t domain = 1;          ///< observation domain id
    std::uint32_t enterprise = 32473;  ///< private enterprise number of the verdict's elements
    std::uint32_t template_s = 60;     ///< UDP: templates are sent again after so long
    std::uint32_t message_bytes = 1400;
    friend bool operator==(const Ipfix&, const Ipfix&) = default;
};

struct Export {
    std::string pseudonym_key;  ///< Crypto-PAn's 32 bytes, mode 0600; "" = addresses as they are
    std::uint32_t queue = 1 << 16;  ///< records between control and each exporter
    Eve eve;
    Ipfix ipfix;

    [[nodiscard]] bool any() const noexcept {
        return !eve.file.empty() || !ipfix.collector.empty();
    }
    friend bool operator==(const Export&, const Export&) = default;
};

/// The section `export` of a configuration, which is otherwise checked as load_file() does, with the same errors. It is
/// apart from Config because control alone follows it: nothing of the packet path may depend on where events go.
/// Thread: control or main; reads the file, throws nothing.
[[nodiscard]] tl::expected<Export, std::vector<Error>> load_export(const std::string& path);

/// The same for text already in memory; `name` stands for the file in messages.
[[nodiscard]] tl::expected<Export, std::vector<Error>> load_export_text(
    std::string_view yaml, const std::string& name);

}  // namespace weir::config

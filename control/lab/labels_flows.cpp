// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/labels_flows.h"

#include "dataplane/parse.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <tuple>

#include <arpa/inet.h>
#include <pcap/pcap.h>

namespace weir::lab {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct PcapClose {
    void operator()(pcap_t* p) const noexcept { pcap_close(p); }
};

/// The two ends of a parsed packet, sender first.
std::pair<Endpoint, Endpoint> ends(
    const dataplane::FlowKey& key, const dataplane::PacketHeader& header) {
    const Endpoint lo{key.addr_lo, ntohs(key.port_lo)};
    const Endpoint hi{key.addr_hi, ntohs(key.port_hi)};
    return header.src_is_hi ? std::pair{hi, lo} : std::pair{lo, hi};
}

}  // namespace

std::string Endpoint::text() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    const bool mapped = std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
    if (mapped) {
        inet_ntop(AF_INET, address.data() + 12, buffer, sizeof buffer);
    } else {
        inet_ntop(AF_INET6, address.data(), buffer, sizeof buffer);
    }
    return buffer;
}

bool parse_address(std::string_view text, std::array<std::uint8_t, 16>& out) {
    const std::string copy(text);
    if (inet_pton(AF_INET6, copy.c_str(), out.data()) == 1) {
        return true;
    }
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.begin());
    return inet_pton(AF_INET, copy.c_str(), out.data() + 12) == 1;
}

Result<std::vector<CaptureFlow>> list_flows(const std::string& path) {
    char message[PCAP_ERRBUF_SIZE] = {};
    const std::unique_ptr<pcap_t, PcapClose> pcap(pcap_open_offline(path.c_str(), message));
    if (!pcap) {
        return fail(
            path,
            "",
            std::string("cannot be read as a capture: ") + message,
            "give a pcap or pcapng file");
    }
    if (pcap_datalink(pcap.get()) != DLT_EN10MB) {
        return fail(path, "link type", "is not Ethernet", "convert it with editcap -T ether");
    }
    using Key = std::tuple<Endpoint, Endpoint, std::uint8_t, std::uint32_t, std::uint16_t>;
    std::map<Key, std::size_t> index;
    std::vector<CaptureFlow> flows;
    pcap_pkthdr* info = nullptr;
    const u_char* data = nullptr;
    int got = 0;
    for (std::uint32_t number = 1; (got = pcap_next_ex(pcap.get(), &info, &data)) == 1; ++number) {
        dataplane::FlowKey key;
        dataplane::PacketHeader header;
        // The gateway sees whole frames: what the capture did not keep was not there.
        if (dataplane::parse_frame(data, info->caplen, info->caplen, key, header) !=
            dataplane::ParseResult::flow) {
            continue;
        }
        const auto [from, to] = ends(key, header);
        const Key id{
            std::min(from, to),
            std::max(from, to),
            key.proto,
            key.tunnel_id,
            static_cast<std::uint16_t>(key.vlan)};
        const auto [it, fresh] = index.emplace(id, flows.size());
        if (fresh) {
            flows.push_back({from, to, key.proto, {}});
        }
        flows[it->second].packets.push_back(number);
    }
    if (got == PCAP_ERROR) {
        return fail(path, "", std::string("is damaged: ") + pcap_geterr(pcap.get()));
    }
    return flows;
}

}  // namespace weir::lab

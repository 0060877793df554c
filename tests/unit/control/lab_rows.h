// SPDX-License-Identifier: BSD-3-Clause
// Feature rows of generated captures, as a worker computes them.
#pragma once

#include "dataplane/features/features.h"
#include "dataplane/parse.h"
#include "tests/unit/control/lab_generate_fixtures.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::lab::synth {

struct KeyLess {
    bool operator()(const dataplane::FlowKey& a, const dataplane::FlowKey& b) const noexcept {
        return std::memcmp(&a, &b, sizeof(a)) < 0;
    }
};

/// Feature rows of a capture: of packets 1, 2, 4, 8, … of each flow.
class Rows {
  public:
    explicit Rows(const std::string& path) {
        char message[PCAP_ERRBUF_SIZE] = {};
        const std::unique_ptr<pcap_t, decltype(&pcap_close)> pcap(
            pcap_open_offline(path.c_str(), message), &pcap_close);
        EXPECT_NE(pcap, nullptr) << message;
        hosts_ = std::move(*dataplane::HostTable::create(1U << 14, 1));
        pcap_pkthdr* info = nullptr;
        const u_char* data = nullptr;
        while (pcap && pcap_next_ex(pcap.get(), &info, &data) == 1) {
            constexpr std::uint64_t kNsPerS = 1'000'000'000;
            constexpr std::uint64_t kNsPerUs = 1000;
            take(
                {data, info->caplen},
                static_cast<std::uint64_t>(info->ts.tv_sec) * kNsPerS +
                    static_cast<std::uint64_t>(info->ts.tv_usec) * kNsPerUs);
        }
    }
    std::vector<dataplane::FeatureRow> rows;

  private:
    void take(std::span<const std::uint8_t> frame, std::uint64_t now_ns) {
        dataplane::FlowKey key;
        dataplane::PacketHeader header;
        const auto size = static_cast<std::uint32_t>(frame.size());
        if (dataplane::parse_frame(frame.data(), size, size, key, header) !=
            dataplane::ParseResult::flow) {
            return;
        }
        auto [at, fresh] = flows_.try_emplace(key);
        dataplane::Flow& flow = at->second;
        if (fresh) {
            flow.set_key(key);
            flow.set_initiator_is_hi(header.src_is_hi);
        }
        const bool forward = header.src_is_hi == flow.initiator_is_hi();
        const auto events = dataplane::update_flow(flow, header, forward, now_ns);
        const auto pair = hosts_->update(
            key, hosts_->hash(key), header, flow.initiator_is_hi(), forward, events, now_ns);
        if (std::has_single_bit(flow.packets[0] + flow.packets[1])) {
            dataplane::compute_features(
                dataplane::kAllGroups, flow, header, forward, events, pair, rows.emplace_back());
        }
    }
    std::map<dataplane::FlowKey, dataplane::Flow, KeyLess> flows_;
    std::unique_ptr<dataplane::HostTable> hosts_;
};

}  // namespace weir::lab::synth

// SPDX-License-Identifier: BSD-3-Clause
#include "perf/actions_traffic.h"

#include "dataplane/byte_order.h"

#include <cstring>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

namespace weir::perf {
namespace {

using dataplane::put16;
using dataplane::put32;

constexpr std::uint32_t kIpv4Bytes = 20;
constexpr std::uint32_t kIpv6Bytes = 40;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kRst = 0x04;

[[nodiscard]] std::uint32_t get16(const std::uint8_t* at) noexcept {
    return static_cast<std::uint32_t>(at[0]) << 8U | at[1];
}

// What an IPv4 header sums to, folded: 0xffff if its checksum is right.
[[nodiscard]] std::uint32_t sum_of(const std::uint8_t* ip) noexcept {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < kIpv4Bytes; i += 2) {
        sum += get16(ip + i);
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    return (sum & 0xffffU) + (sum >> 16U);
}

struct Host {
    std::uint32_t address;
    std::uint16_t port;
};

std::uint32_t put_ipv4(std::uint8_t* at, const Host& from, const Host& to, std::uint32_t bytes) {
    at[0] = 0x45;
    put16(at + 2, bytes);
    at[8] = 64;
    at[9] = kTcp;
    put32(at + 12, from.address);
    put32(at + 16, to.address);
    put16(at + 10, ~sum_of(at) & 0xffffU);
    return kIpv4Bytes;
}

std::uint32_t put_ipv6(std::uint8_t* at, const Host& from, const Host& to) {
    constexpr std::uint32_t kTcpBytes = 20;
    at[0] = 0x60;
    put16(at + 4, kTcpBytes);
    at[6] = kTcp;
    at[7] = 64;
    put32(at + 8, 0x20010db8);
    put32(at + 20, from.address);
    put32(at + 24, 0x20010db8);
    put32(at + 36, to.address);
    return kIpv6Bytes;
}

}  // namespace

ActionTraffic::Frame ActionTraffic::make(Traffic kind, std::uint32_t flow, bool forward) {
    constexpr std::uint32_t kHosts = 1024;
    const Host client{
        0x0a000000 + flow % kHosts, static_cast<std::uint16_t>(20000 + flow / kHosts)};
    const Host server{0xc0000200 + flow % 64, 443};
    const Host& from = forward ? client : server;
    const Host& to = forward ? server : client;
    Frame out;
    std::uint8_t* at = out.bytes.data();
    at[0] = 0x02;
    at[6] = 0x02;
    at[11] = 0x01;
    at += 12;
    if (kind == Traffic::vlan) {
        put16(at, 0x8100);
        put16(at + 2, 100);
        at += 4;
    }
    put16(at, kind == Traffic::v6 ? 0x86dd : 0x0800);
    at += 2;
    constexpr std::uint32_t kIpBytes = 46;  // of a least frame, six of them payload
    at += kind == Traffic::v6 ? put_ipv6(at, from, to) : put_ipv4(at, from, to, kIpBytes);
    put16(at, from.port);
    put16(at + 2, to.port);
    at[12] = 0x50;
    at[13] = kAck;
    put16(at + 14, 8192);
    out.size = kind == Traffic::v6 ? 74 : kind == Traffic::vlan ? 64 : 60;
    return out;
}

ActionTraffic::ActionTraffic() {
    for (const Traffic kind : {Traffic::v4, Traffic::v6, Traffic::vlan, Traffic::fresh}) {
        auto& frames = frames_[static_cast<std::size_t>(kind)];
        for (std::uint32_t flow = 0; flow < kActionFlows; ++flow) {
            frames.push_back(make(kind, flow, true));
            frames.push_back(make(kind, flow, kind == Traffic::fresh));
        }
    }
    select(Traffic::v4);
}

void ActionTraffic::select(Traffic kind) noexcept {
    chosen_ = &frames_[static_cast<std::size_t>(kind)];
    at_ = 0;
}

std::uint16_t ActionTraffic::receive(
    std::uint16_t,
    std::uint16_t,
    rte_mbuf* packets[],
    std::uint16_t count,
    std::uint16_t,
    void* self) {
    constexpr std::size_t kSource = 26;
    auto& traffic = *static_cast<ActionTraffic*>(self);
    const std::vector<Frame>& frames = *traffic.chosen_;
    const bool fresh =
        traffic.chosen_ == &traffic.frames_[static_cast<std::size_t>(Traffic::fresh)];
    for (std::uint16_t i = 0; i < count; ++i) {
        const Frame& frame = frames[traffic.at_];
        traffic.at_ = traffic.at_ + 1 == frames.size() ? 0 : traffic.at_ + 1;
        auto* const data = rte_pktmbuf_mtod(packets[i], std::uint8_t*);
        std::memcpy(data, frame.bytes.data(), kFrameBytes);
        if (fresh) {  // with a checksum that nobody looks at
            put32(data + kSource, 0x0b000000 + traffic.fresh_++ % (1U << 24U));
        }
        packets[i]->data_len = frame.size;
        packets[i]->pkt_len = frame.size;
    }
    return count;
}

bool SentWitness::start(const Look& look) {
    stop();
    look_ = look;
    right_ = wrong_ = 0;
    callback_ = rte_eth_add_tx_callback(
        port_,
        0,
        [](std::uint16_t, std::uint16_t, rte_mbuf* packets[], std::uint16_t count, void* self)
            -> std::uint16_t {
            auto& witness = *static_cast<SentWitness*>(self);
            for (std::uint16_t i = 0; i < count; ++i) {
                ++(witness.as_told(*packets[i]) ? witness.right_ : witness.wrong_);
            }
            return count;
        },
        this);
    return callback_ != nullptr;
}

void SentWitness::stop() {
    if (callback_ != nullptr) {
        rte_eth_remove_tx_callback(port_, 0, callback_);
    }
    callback_ = nullptr;
}

bool SentWitness::as_told(const rte_mbuf& packet) const noexcept {
    const auto* const frame = rte_pktmbuf_mtod(&packet, const std::uint8_t*);
    const bool tagged = get16(frame + 12) == 0x8100;
    const std::uint8_t* const ip = frame + (tagged ? 18 : 14);
    const bool v4 = get16(ip - 2) == 0x0800;
    const std::uint32_t dscp = v4 ? ip[1] >> 2U : get16(ip) >> 6U & 0x3fU;
    if (look_.reset) {
        return (ip[v4 ? kIpv4Bytes + 13 : kIpv6Bytes + 13] & kRst) != 0;
    }
    return dscp == look_.dscp && (!v4 || sum_of(ip) == 0xffff || dscp == 0) &&
           (!tagged || frame[14] >> 5U == look_.pcp);
}

}  // namespace weir::perf

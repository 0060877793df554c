// SPDX-License-Identifier: BSD-3-Clause
// One packet's effect on one host: hosts.cpp's own, apart from finding it.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/features/host.h"
#include "dataplane/features/hosts.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::dataplane::accounting {

/// 2^(-t / 64) for t in 0…63, by exact-rounded products only.
inline constexpr std::array<float, kHalfLifeTicks> kDecay = [] {
    constexpr double kTickFactor = 0.98922801319397548413;  // 2^(-1/64)
    std::array<float, kHalfLifeTicks> out{};
    double factor = 1.0;
    for (float& entry : out) {
        entry = static_cast<float>(factor);
        factor *= kTickFactor;
    }
    return out;
}();

[[nodiscard]] inline float decay_factor(std::uint32_t ticks) noexcept {
    constexpr std::uint32_t kGoneHalves = 64;  // 2^-64 of anything countable is nothing
    const std::uint32_t halves = ticks / kHalfLifeTicks;
    if (halves >= kGoneHalves) {
        return 0.0F;
    }
    constexpr std::uint32_t kExponentShift = 23;
    constexpr std::uint32_t kExponentBias = 127;
    return kDecay[ticks % kHalfLifeTicks] *
           std::bit_cast<float>((kExponentBias - halves) << kExponentShift);
}

[[nodiscard]] inline std::uint32_t tick_at(std::uint64_t now_ns) noexcept {
    return static_cast<std::uint32_t>(now_ns >> kTickShift);
}

template <std::size_t Count>
inline void decay(std::array<float, Count>& sums, float factor) noexcept {
    for (float& sum : sums) {
        sum *= factor;
    }
}

/// Brings a host to the packet's time, all of it: sums that were decayed at other moments would be rounded otherwise, and
/// models were trained on these. Time that runs backwards is no time.
inline void advance(Host& host, std::uint32_t tick) noexcept {
    constexpr std::uint32_t kWindowMask = 0xffffffffU >> kTicksPerWindowShift;
    const std::uint32_t ticks = tick - host.tick;
    if (static_cast<std::int32_t>(ticks) <= 0) {
        return;
    }
    const std::uint32_t windows =
        ((tick >> kTicksPerWindowShift) - (host.tick >> kTicksPerWindowShift)) & kWindowMask;
    host.tick = tick;
    const float factor = decay_factor(ticks);
    decay(host.sums, factor);
    decay(host.in_sums, factor);
    if (windows != 0) {
        host.out_peers.turn(windows);
        host.out_ports.turn(windows);
        host.in_peers.turn(windows);
        host.in_ports.turn(windows);
    }
}

[[nodiscard]] inline std::uint32_t activity(const Host& host) noexcept {
    constexpr float kLevel1 = 8.0F;
    constexpr float kLevel2 = 64.0F;
    constexpr float kLevel3 = 512.0F;
    const float packets = host.sum(HostSum::sent_packets) + host.sum(HostSum::received_packets);
    return (packets >= kLevel1 ? 1U : 0U) + (packets >= kLevel2 ? 1U : 0U) +
           (packets >= kLevel3 ? 1U : 0U);
}

/// ICMP destination unreachable, either family.
[[nodiscard]] inline bool is_unreachable(const PacketHeader& header) noexcept {
    constexpr std::uint8_t kIcmp = 1;
    constexpr std::uint8_t kIcmp6 = 58;
    constexpr std::uint8_t kUnreachable4 = 3;
    constexpr std::uint8_t kUnreachable6 = 1;
    return !header.later_fragment &&
           ((header.proto == kIcmp && header.icmp_type == kUnreachable4) ||
            (header.proto == kIcmp6 && header.icmp_type == kUnreachable6));
}

/// Direction is as good as random from packet to packet: an index, not a branch.
inline void count_packet(Host& host, const PacketHeader& header, bool sent) noexcept {
    static_assert(static_cast<std::size_t>(HostSum::received_packets) == 2);
    const std::size_t at = sent ? 0 : 2;
    host.sums[at] += 1.0F;
    host.sums[at + 1] += static_cast<float>(static_cast<std::int64_t>(header.ip_bytes));
}

[[nodiscard]] inline float one_if(bool happened) noexcept {
    return happened ? 1.0F : 0.0F;
}

/// Most packets of a flow are no event.
[[nodiscard]] inline bool any(FlowEvents events) noexcept {
    return events.opened | events.replied | events.confirmed;
}

inline void count_out(Host& host, FlowEvents events) noexcept {
    host.add(HostSum::out_flows, one_if(events.opened));
    host.add(HostSum::out_replied, one_if(events.replied));
    host.add(HostSum::out_syn, one_if(events.opened_by_syn));
    host.add(HostSum::out_syn_answered, one_if(events.syn_answered));
    host.add(HostSum::out_refused, one_if(events.refused));
}

inline void count_in(Host& host, FlowEvents events) noexcept {
    host.add(HostSum::in_flows, one_if(events.opened));
    host.add(HostSum::in_replied, one_if(events.replied));
    host.add(HostSum::in_confirmed, one_if(events.confirmed));
}

}  // namespace weir::dataplane::accounting

// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_probe.h"

#include <algorithm>

namespace weir::lab::synth {

std::vector<Shot> syn_probe(const SynProbe& probe, Rng& rng) {
    Packet packet;
    packet.tuple = probe.tuple;
    packet.ttl = probe.ttl;
    packet.ip_id = static_cast<std::uint16_t>(rng.next());
    packet.tcp.seq = static_cast<std::uint32_t>(rng.next());
    packet.tcp.flags = tcp_syn;
    packet.tcp.window = probe.window;
    packet.tcp.mss = probe.mss ? 1460 : 0;
    std::vector<Shot> shots{{probe.at, true, packet, {}}};
    if (probe.reply == Reply::none) {
        return shots;
    }
    const std::uint32_t seq = packet.tcp.seq;
    const auto answer_seq = static_cast<std::uint32_t>(rng.next());
    Packet answer;
    answer.tuple = probe.tuple;
    answer.from = Side::responder;
    answer.ttl = draw_ttl(rng);
    answer.tcp.ack = seq + 1;
    answer.tcp.flags = tcp_rst | tcp_ack;
    if (probe.reply == Reply::syn_ack) {
        answer.tcp.seq = answer_seq;
        answer.tcp.flags = tcp_syn | tcp_ack;
        answer.tcp.window = 64240;
        answer.tcp.mss = probe.mss ? 1460 : 536;
    }
    const Nanos answered = probe.at + probe.trip;
    shots.push_back({answered, false, answer, {}});
    if (probe.reply == Reply::syn_ack && probe.resets) {
        packet.ip_id = 0;
        packet.tcp = {.seq = seq + 1, .flags = tcp_rst};
        shots.push_back({answered + probe.near, false, packet, {}});
    }
    return shots;
}

Shot datagram_shot(const Tuple& tuple, Nanos at, std::string payload, Rng& rng) {
    Shot shot{at, true, {}, std::move(payload)};
    shot.packet.tuple = tuple;
    shot.packet.ttl = draw_ttl(rng);
    shot.packet.ip_id = static_cast<std::uint16_t>(rng.next());
    if (tuple.proto != kUdp) {
        shot.packet.icmp.type = tuple.proto == kIcmp ? 8 : 128;
        shot.packet.icmp.rest = std::uint32_t{tuple.initiator_port} << 16U;
    }
    return shot;
}

Shot port_unreachable(const Shot& probe, Nanos at, Rng& rng) {
    Packet original = probe.packet;
    original.payload = {
        reinterpret_cast<const std::uint8_t*>(probe.payload.data()), probe.payload.size()};
    Frame frame;
    build_frame(original, frame);
    constexpr std::size_t kEthernet = 14;
    const bool v6 = original.tuple.initiator.v6;
    const std::size_t bytes =
        header_bytes(original) + (v6 ? std::min<std::size_t>(probe.payload.size(), 1000) : 0);
    const Bytes quoted = frame.view().subspan(kEthernet, bytes);
    Shot shot{at, true, {}, std::string(quoted.begin(), quoted.end())};
    shot.packet.tuple = {
        original.tuple.responder, original.tuple.initiator, 0, 0, v6 ? kIcmpV6 : kIcmp};
    shot.packet.ttl = draw_ttl(rng);
    shot.packet.ip_id = static_cast<std::uint16_t>(rng.next());
    shot.packet.icmp.type = v6 ? 1 : 3;
    shot.packet.icmp.code = v6 ? 4 : 3;
    return shot;
}

}  // namespace weir::lab::synth

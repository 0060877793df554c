// SPDX-License-Identifier: BSD-3-Clause
// Scenarios of one-way media: adaptive streaming and broadcast.
#include "control/lab/generate_payload.h"
#include "control/lab/generate_scenarios.h"
#include "control/lab/generate_talk.h"

#include <algorithm>

namespace weir::lab::synth {

void start_video_tcp(Session& session) {
    Rng& rng = session.rng;
    TcpPlan plan = session.tcp(session.to_server(kTcp, 443), session.begin);
    const Nanos segment = rng.between(2, 6) * kSecond;
    const std::uint64_t bytes = rng.between(100'000, 400'000) * (segment / kSecond);
    const std::uint64_t ahead =
        rng.between(2, 4);  // segments fetched at once, to fill the player's buffer
    auto ask = [segment, ahead, asked = std::uint64_t{0}](Rng& random) mutable {
        const Nanos delay = asked++ < ahead ? kMilli + random.below(10 * kMilli)
                                            : random.around(segment, 0.15) * 8 / 10;
        return Message{Side::initiator, delay, {}, random.between(350, 700), true};
    };
    auto answer = [bytes](Rng& random) {
        return Message{
            Side::responder,
            kMilli + random.below(15 * kMilli),
            {},
            random.lognormal(static_cast<double>(bytes), 0.35, 40'000, 6'000'000),
            true};
    };
    auto opening = tls_opening(rng);
    plan.script =
        then(std::move(opening), questions(rng.between(2, 40), std::move(ask), std::move(answer)));
    session.spawn(std::move(plan));
}

namespace {

// A QUIC-like connection: handshake, then segments in bursts with acknowledgements against them.
struct Quic {
    std::string client_id;
    std::string server_id;
    Nanos now = 0;
    Nanos trip = 0;     // gateway to server and back
    Nanos gap = 0;      // between packets of a burst
    Nanos segment = 0;  // between bursts
    std::uint64_t median = 0;
    std::uint64_t segments = 0;
    std::size_t full = 1252;
    std::uint64_t left = 0;  // packets of this burst
    unsigned since_ack = 0;
    unsigned step = 0;

    std::optional<Datagram> operator()(Rng& rng) {
        if (step < kHandshake) {
            return greet(rng);
        }
        if (left == 0) {
            return segments-- != 0 ? std::optional(ask(rng)) : std::nullopt;
        }
        return burst(rng);
    }

  private:
    static constexpr unsigned kHandshake = 4;
    static constexpr unsigned kAhead = 3;  // segments fetched at once, to fill the player's buffer

    Datagram greet(Rng& rng) {
        constexpr std::array<Side, kHandshake> kSpeakers{
            Side::initiator, Side::responder, Side::responder, Side::initiator};
        const std::array<Nanos, kHandshake> gaps{0, trip, 100 * kMicro, kMilli};
        const Side side = kSpeakers[step];
        now += gaps[step++];
        return {
            now, side, quic_initial(1200, side == Side::initiator ? server_id : client_id, rng)};
    }
    Datagram ask(Rng& rng) {
        left = 1 + rng.lognormal(static_cast<double>(median), 0.35, 30'000, 4'000'000) / full;
        now += step++ < kHandshake + kAhead ? 5 * kMilli : rng.around(segment, 0.15);
        Datagram question{now, Side::initiator, quic_short(rng.between(80, 400), server_id, rng)};
        now += trip + rng.below(10 * kMilli);
        return question;
    }
    Datagram burst(Rng& rng) {
        if (since_ack >= 2 && rng.chance(0.4)) {
            since_ack = 0;
            return {now, Side::initiator, quic_short(rng.between(31, 45), server_id, rng)};
        }
        ++since_ack;
        now += rng.around(gap, 0.3);
        now += rng.chance(0.02) ? rng.exponential(4 * kMilli) : 0;
        const std::size_t bytes = --left == 0 ? rng.between(60, full) : full;
        return {now, Side::responder, quic_short(bytes, client_id, rng)};
    }
};

}  // namespace

void start_video_quic(Session& session) {
    Rng& rng = session.rng;
    Quic quic;
    quic.client_id = noise(8, rng);
    quic.server_id = noise(8, rng);
    quic.now = session.begin;
    quic.trip = 3 * kMilli + rng.exponential(25 * kMilli);
    quic.gap = rng.between(40, 500) * kMicro;
    quic.segment = rng.between(2, 5) * kSecond;
    quic.median = rng.between(100'000, 400'000) * (quic.segment / kSecond);
    quic.segments = rng.between(2, 30);
    session.spawn(session.to_server(kUdp, 443), std::move(quic));
}

void start_broadcast_video(Session& session) {
    Rng& rng = session.rng;
    const Tuple tuple{
        session.server(),
        group_address(session.v6, rng.below(50)),
        session.client_port(),
        session.service(5004),
        kUdp};
    const Nanos gap = rng.between(1200, 2600) * kMicro;  // 4 to 9 Mb/s
    const Nanos until =
        session.begin + 3 * kSecond + std::min(rng.exponential(30 * kSecond), 200 * kSecond);
    const auto ssrc = static_cast<std::uint32_t>(rng.next());
    session.spawn(
        tuple,
        [now = session.begin,
         gap,
         until,
         ssrc,
         counter = std::uint32_t{0},
         sequence = std::uint16_t{0}](Rng& random) mutable -> std::optional<Datagram> {
            if (now >= until) {
                return std::nullopt;
            }
            const Nanos due = now;
            now += random.around(gap, 0.05);
            return Datagram{
                due,
                Side::initiator,
                rtp(33,
                    false,
                    sequence++,
                    static_cast<std::uint32_t>(due / 11111),
                    ssrc,
                    transport_stream(7, counter, random))};
        });
}

}  // namespace weir::lab::synth

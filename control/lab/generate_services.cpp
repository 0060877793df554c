// SPDX-License-Identifier: BSD-3-Clause
// Scenarios of machines among themselves: operation and management, bulk transfer, what may wait.
#include "control/lab/generate_payload.h"
#include "control/lab/generate_scenarios.h"
#include "control/lab/generate_talk.h"

#include <algorithm>

namespace weir::lab::synth {
namespace {

constexpr auto kClient = Side::initiator;
constexpr auto kServer = Side::responder;

}  // namespace

void start_ntp(Session& session) {
    Rng& rng = session.rng;
    std::vector<Datagram> said;
    Nanos now = session.begin;
    const Nanos trip = kMilli + rng.exponential(20 * kMilli);
    const std::uint64_t epoch = session.options().start_unix_s;
    for (std::uint64_t i = rng.between(1, 8); i > 0; --i) {
        said.push_back({now, kClient, ntp(3, epoch, now, rng)});
        now += trip + rng.below(kMilli);
        said.push_back({now, kServer, ntp(4, epoch, now, rng)});
        now += rng.around(2 * kSecond, 0.02);
    }
    session.spawn(session.to_server(kUdp, 123), play(std::move(said)));
}

void start_snmp(Session& session) {
    struct Poll {
        Nanos now = 0;
        Nanos every = 0;
        Nanos trip = 0;
        std::uint64_t rounds = 0;
        std::uint64_t gets = 0;  // a round
        std::uint64_t left = 0;
        std::size_t counters = 0;
        std::uint32_t id = 0;
        bool asked = false;

        std::optional<Datagram> operator()(Rng& rng) {
            if (asked) {
                asked = false;
                now += trip + rng.below(4 * kMilli);
                return Datagram{now, kServer, snmp_response(id, counters, rng)};
            }
            if (left == 0) {
                if (rounds-- == 0) {
                    return std::nullopt;
                }
                now += id != 0 ? rng.around(every, 0.01) : 0;
                left = gets;
            } else {
                now += 200 * kMicro + rng.below(2 * kMilli);
            }
            --left;
            asked = true;
            return Datagram{now, kClient, snmp_get(++id, counters)};
        }
    } poll;
    Rng& rng = session.rng;
    poll.now = session.begin;
    poll.every = rng.between(2, 30) * kSecond;
    poll.trip = 300 * kMicro + rng.exponential(5 * kMilli);
    poll.rounds = rng.between(1, 10);
    poll.gets = rng.between(1, 12);
    poll.counters = rng.between(1, 14);
    session.spawn(session.to_server(kUdp, 161), poll);
}

void start_ping(Session& session) {
    Rng& rng = session.rng;
    Tuple tuple = session.to_server(session.v6 ? kIcmpV6 : kIcmp, 0);
    tuple.responder_port = tuple.initiator_port;
    const std::size_t bytes = rng.chance(0.7) ? 56 : 32;
    const Nanos trip = 300 * kMicro + rng.exponential(15 * kMilli);
    std::vector<Datagram> said;
    Nanos now = session.begin;
    for (std::uint64_t i = rng.between(3, 30); i > 0; --i) {
        said.push_back({now, kClient, noise(bytes, rng)});
        if (!rng.chance(0.02)) {
            said.push_back({now + rng.around(trip, 0.1), kServer, said.back().payload});
        }
        now += rng.around(kSecond, 0.002);
    }
    session.spawn(tuple, play(std::move(said)));
}

void start_syslog(Session& session) {
    const Nanos gap = session.rng.between(20, 3000) * kMilli;
    const std::uint64_t lines = session.rng.between(3, 300);
    session.spawn(
        session.to_server(kUdp, 514),
        [now = session.begin, gap, left = lines](Rng& rng) mutable -> std::optional<Datagram> {
            if (left-- == 0) {
                return std::nullopt;
            }
            const Nanos due = now;
            // Lines come in groups.
            now += rng.chance(0.4) ? rng.below(500 * kMicro) : rng.exponential(gap);
            return Datagram{due, kClient, syslog_line(rng)};
        });
}

namespace {

// One question and a long answer, or the other way round; over TLS or in the clear.
void transfer(Session& session, bool up) {
    Rng& rng = session.rng;
    const bool tls = rng.chance(0.7);
    TcpPlan plan = session.tcp(session.to_server(kTcp, tls ? 443 : 80), session.begin);
    const std::uint64_t bytes = rng.pareto(1'500'000, 40'000'000, 1.1);
    const Nanos work = kMilli + rng.exponential(20 * kMilli);
    std::vector<Message> said;
    if (tls) {
        said = tls_opening(rng);
        said.push_back({kClient, kMilli, {}, up ? bytes : rng.between(200, 600), true});
        said.push_back({kServer, work, {}, up ? rng.between(100, 400) : bytes, true});
    } else {
        const std::string path = "/" + token(12, rng) + ".bin";
        const std::uint64_t sent = up ? bytes : 0;
        const std::uint64_t got = up ? 0 : bytes;
        said.push_back({kClient, kMilli, http_request(up ? "PUT" : "GET", path, sent, rng), sent});
        said.push_back({kServer, work, http_response(200, "OK", got, rng), got});
    }
    plan.script = then(std::move(said), {});
    plan.closer = rng.chance(0.5) ? kClient : kServer;
    session.spawn(std::move(plan));
}

}  // namespace

void start_download(Session& session) {
    transfer(session, false);
}

void start_upload(Session& session) {
    transfer(session, true);
}

void start_p2p(Session& session) {
    Rng& rng = session.rng;
    for (std::uint64_t peers = rng.between(1, 4); peers > 0; --peers) {
        const auto port = static_cast<std::uint16_t>(rng.between(49152, 65534));
        const Tuple tuple = session.to_server(kTcp, port);
        TcpPlan plan = session.tcp(tuple, session.begin + rng.below(kSecond));
        plan.far += 20 * kMilli + rng.exponential(40 * kMilli);  // homes, not data centres
        plan.loss = 0.02 * rng.unit();
        plan.ns_per_byte = {
            8.0 * static_cast<double>(rng.between(50, 800)),
            8.0 * static_cast<double>(rng.between(50, 800))};
        std::vector<Message> said;
        said.push_back({kClient, kMilli, {}, rng.between(96, 608)});  // obfuscated handshakes
        said.push_back({kServer, kMilli, {}, rng.between(96, 608)});
        const double give = 0.2 + 0.6 * rng.unit();  // share of the blocks that go to the peer
        auto blocks = [give, left = rng.between(5, 200), ask = true, giver = kClient](
                          Rng& r) mutable -> std::optional<Message> {
            if (std::exchange(ask, !ask)) {
                if (left-- == 0) {
                    return std::nullopt;
                }
                giver = r.chance(give) ? kClient : kServer;
                return Message{other(giver), r.exponential(80 * kMilli), {}, 17};
            }
            return Message{giver, r.exponential(20 * kMilli), {}, 16384 + 13};
        };
        plan.script = then(std::move(said), std::move(blocks));
        plan.end = rng.chance(0.4) ? End::reset : End::fin;
        session.spawn(std::move(plan));
    }
}

void start_backup(Session& session) {
    Rng& rng = session.rng;
    TcpPlan plan = session.tcp(session.to_server(kTcp, 443), session.begin);
    plan.ns_per_byte[0] = 8.0 * static_cast<double>(rng.between(200, 1000));  // 1 to 5 Mb/s
    const std::uint64_t chunk = rng.between(32, 256) * 1024;
    auto opening = tls_opening(rng);
    plan.script = then(
        std::move(opening),
        questions(
            rng.between(3, 100),
            [chunk](Rng& r) {
                return Message{kClient, r.exponential(1500 * kMilli), {}, chunk, true};
            },
            [](Rng& r) {
                return Message{kServer, kMilli + r.exponential(20 * kMilli), {}, 90, true};
            }));
    session.spawn(std::move(plan));
}

}  // namespace weir::lab::synth

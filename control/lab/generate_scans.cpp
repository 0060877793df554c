// SPDX-License-Identifier: BSD-3-Clause
// Scenarios of looking for open doors: sweeps over hosts and scans over ports.
#include "control/lab/generate_payload.h"
#include "control/lab/generate_probe.h"
#include "control/lab/generate_scenarios.h"
#include "control/lab/generate_talk.h"

#include <algorithm>

namespace weir::lab::synth {
namespace {

constexpr std::size_t kTargets = kMaxBenignScenarios * kServersEach + kClients;

// The targets of a sweep: all servers and clients, from anywhere, then round again.
Address sweep_target(bool v6, std::uint64_t index) {
    const std::size_t i = index % kTargets;
    const std::size_t servers = kTargets - kClients;
    return i < servers ? server_address(v6, i / kServersEach, i % kServersEach)
                       : client_address(v6, i - servers);
}

// The ports of a scan: in order, or scattered by an odd multiplier, which visits each once.
struct PortOrder {
    std::uint32_t first = 0;
    std::uint32_t factor = 1;
    [[nodiscard]] std::uint16_t operator()(std::uint64_t index) const noexcept {
        const auto port = static_cast<std::uint16_t>(first + index * factor);
        return port != 0 ? port : 1;
    }
};
PortOrder draw_order(Rng& rng) {
    if (rng.chance(0.4)) {
        return {1, 1};
    }
    PortOrder order;
    order.first = static_cast<std::uint32_t>(rng.below(65536));
    order.factor = static_cast<std::uint32_t>(rng.next() | 1U);
    return order;
}

struct Target {
    Address address;
    std::uint16_t port = 0;
};

// What a scan asks for, one probe after the other.
struct Course {
    bool sweep = false;
    bool v6 = false;
    std::uint64_t first = 0;
    std::uint16_t port = 0;  // of a sweep
    Address host;            // of a scan over ports
    PortOrder order;

    [[nodiscard]] Target operator()(std::uint64_t index) const {
        return sweep ? Target{sweep_target(v6, first + index), port} : Target{host, order(index)};
    }
};

template <std::size_t N>
Course draw_course(Session& session, bool sweep, const std::array<std::uint16_t, N>& ports) {
    Course course;
    course.sweep = sweep;
    course.v6 = session.v6;
    course.first = session.rng.below(kTargets);
    course.port = session.rng.pick(ports);
    course.host = session.victim();
    course.order = draw_order(session.rng);
    return course;
}

// Lets `probe(session, sink, target, now)` ask for one target after the other.
template <typename Probe>
void scan(Session& session, const Course& course, std::uint64_t count, Nanos gap, Probe probe) {
    session.spawn(make_repeater(
        session.begin,
        [own = session, course, count, gap, probe = std::move(probe), index = std::uint64_t{0}](
            Nanos now, Sink& sink) mutable -> std::optional<Nanos> {
            probe(own, sink, course(index), now);
            return ++index < count ? std::optional(now + own.pace(gap)) : std::nullopt;
        }));
}

constexpr std::array<std::uint16_t, 8> kTcpServices{22, 23, 80, 443, 445, 3389, 5900, 8080};
constexpr std::array<std::uint16_t, 3> kUdpServices{53, 123, 161};

// How a network answers: most of it silently, or most of it by RST.
struct Mood {
    double open = 0;
    double closed = 0;
    [[nodiscard]] Reply draw(Rng& rng) const noexcept {
        const double x = rng.unit();
        return x < open ? Reply::syn_ack : x < open + closed ? Reply::reset : Reply::none;
    }
};
Mood draw_mood(bool sweep, Rng& rng) {
    Mood mood;
    mood.open = sweep ? 0.02 + 0.2 * rng.unit() : 0.002 + 0.02 * rng.unit();
    mood.closed = rng.chance(0.5) ? 0.75 + 0.2 * rng.unit() : 0.1;
    return mood;
}

// Between probes: from a careful scanner's tens of milliseconds to a tool's tens of microseconds in its own network.
Nanos draw_probe_gap(Rng& rng) {
    return rng.lognormal(kMilli, 1.6, 20 * kMicro, 40 * kMilli);
}
// There and back: across the world, or across a switch.
Nanos draw_trip(Rng& rng) {
    return rng.chance(0.4) ? rng.between(10, 300) * kMicro
                           : 300 * kMicro + rng.exponential(8 * kMilli);
}

void syn_scan(Session& session, bool sweep) {
    Rng& rng = session.rng;
    const Course course = draw_course(session, sweep, kTcpServices);
    const Mood mood = draw_mood(sweep, rng);
    SynProbe probe;
    probe.tuple = session.attack_on({}, kTcp, 0);
    probe.trip = draw_trip(rng);
    probe.near = draw_trip(rng);
    probe.ttl = draw_ttl(rng);
    probe.window = rng.chance(0.7) ? 1024 : 65535;
    probe.mss = rng.chance(0.7);
    probe.resets = true;
    const bool one_port = rng.chance(0.6);
    const std::uint64_t count = rng.between(100, 1500);
    scan(
        session,
        course,
        count,
        draw_probe_gap(rng),
        [probe, mood, one_port](Session& own, Sink& sink, const Target& target, Nanos now) mutable {
            probe.at = now;
            probe.tuple.responder = target.address;
            probe.tuple.responder_port = target.port;
            if (!one_port) {
                probe.tuple.initiator_port = own.attacker_port();
            }
            probe.reply = mood.draw(own.rng);
            sink.spawn(make_shots(syn_probe(probe, own.rng)));
        });
}

void connect_scan(Session& session, bool sweep) {
    Rng& rng = session.rng;
    const Course course = draw_course(session, sweep, kTcpServices);
    const Mood mood = draw_mood(sweep, rng);
    TcpPlan model = session.tcp({}, 0);
    model.loss = 0;
    const std::uint64_t count = rng.between(60, 400);
    scan(
        session,
        course,
        count,
        rng.between(5, 40) * kMilli,
        [model, mood](Session& own, Sink& sink, const Target& target, Nanos now) {
            TcpPlan plan = model;
            plan.tuple = own.attack_on(target.address, kTcp, target.port);
            plan.start = now;
            const Reply reply = mood.draw(own.rng);
            plan.answer = reply == Reply::syn_ack ? Answer::accept
                          : reply == Reply::reset ? Answer::refuse
                                                  : Answer::silence;
            plan.end = own.rng.chance(0.5) ? End::reset : End::fin;
            sink.spawn(make_tcp(std::move(plan), own.rng.next()));
        });
}

std::string udp_question(std::uint16_t port, Nanos now, Rng& rng) {
    switch (port) {
        case 53: {
            const auto id = static_cast<std::uint16_t>(rng.next());
            return dns_query(id, "version.example.com", DnsType::txt);
        }
        case 123:
            return ntp(3, 0, now, rng);
        case 161:
            return snmp_get(static_cast<std::uint32_t>(rng.next()), 1);
        default:
            return {};
    }
}

std::string udp_answer(std::uint16_t port, Nanos now, Rng& rng) {
    switch (port) {
        case 53: {
            const auto id = static_cast<std::uint16_t>(rng.next());
            return dns_answer(id, "version.example.com", DnsType::txt, 90, rng);
        }
        case 123:
            return ntp(4, 0, now, rng);
        default:
            return snmp_response(static_cast<std::uint32_t>(rng.next()), 1, rng);
    }
}

void udp_scan(Session& session, bool sweep) {
    Rng& rng = session.rng;
    const Course course = draw_course(session, sweep, kUdpServices);
    const Nanos trip = draw_trip(rng);
    const double open = sweep ? 0.1 * rng.unit() : 0.0;
    const double closed = sweep ? 0.3 * rng.unit() : 0.05 + 0.4 * rng.unit();
    const std::uint64_t count = rng.between(80, 600);
    const std::uint16_t source = session.attacker_port();
    scan(
        session,
        course,
        count,
        2 * draw_probe_gap(rng),
        [trip, open, closed, source](Session& own, Sink& sink, const Target& target, Nanos now) {
            Tuple tuple = own.attack_on(target.address, kUdp, target.port);
            tuple.initiator_port = source;
            std::string question = udp_question(target.port, now, own.rng);
            std::vector<Shot> shots{datagram_shot(tuple, now, std::move(question), own.rng)};
            const double x = own.rng.unit();
            if (x < open) {
                Shot answer = datagram_shot(
                    tuple, now + trip, udp_answer(target.port, now, own.rng), own.rng);
                answer.opens = false;
                answer.packet.from = Side::responder;
                shots.push_back(std::move(answer));
            } else if (x < open + closed) {
                shots.push_back(port_unreachable(shots.front(), now + trip, own.rng));
            }
            sink.spawn(make_shots(std::move(shots)));
        });
}

}  // namespace

void start_syn_sweep(Session& session) {
    syn_scan(session, true);
}
void start_syn_port_scan(Session& session) {
    syn_scan(session, false);
}
void start_connect_sweep(Session& session) {
    connect_scan(session, true);
}
void start_connect_port_scan(Session& session) {
    connect_scan(session, false);
}
void start_udp_sweep(Session& session) {
    udp_scan(session, true);
}
void start_udp_port_scan(Session& session) {
    udp_scan(session, false);
}

}  // namespace weir::lab::synth

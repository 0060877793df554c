// SPDX-License-Identifier: BSD-3-Clause
// Scenarios of people and programs that wait for answers: shells, transactions, look-ups, pages.
#include "control/lab/generate_payload.h"
#include "control/lab/generate_scenarios.h"
#include "control/lab/generate_talk.h"

#include <algorithm>

namespace weir::lab::synth {
namespace {

constexpr auto kClient = Side::initiator;
constexpr auto kServer = Side::responder;

// A shell: each keystroke is echoed; now and then a line's end brings a screenful, and time to read it.
struct Shell {
    std::uint64_t keys = 0;
    unsigned in_line = 0;
    bool typed = false;
    bool read = true;

    std::optional<Message> operator()(Rng& rng) {
        if (typed) {
            typed = false;
            const bool ends_line = in_line == 0;
            const std::uint64_t bytes = ends_line ? rng.pareto(100, 20'000, 0.9) : 36;
            read = ends_line;
            return Message{kServer, 300 * kMicro + rng.below(3 * kMilli), {}, bytes};
        }
        if (keys-- == 0) {
            return std::nullopt;
        }
        typed = true;
        in_line = in_line == 0 ? static_cast<unsigned>(rng.between(3, 30)) : in_line - 1;
        const Nanos gap = rng.lognormal(150e6, 0.5, 30 * kMilli, 2 * kSecond);
        return Message{kClient, gap + (read ? rng.exponential(3 * kSecond) : 0), {}, 36};
    }
};

TcpScript with_tls(Rng& rng, std::uint64_t turns, MessageMaker ask, MessageMaker answer) {
    auto opening = tls_opening(rng);
    return then(std::move(opening), questions(turns, std::move(ask), std::move(answer)));
}

}  // namespace

void start_ssh(Session& session) {
    TcpPlan plan = session.tcp(session.to_server(kTcp, 22), session.begin);
    auto opening = ssh_opening(session.rng);
    opening.push_back({kClient, 5 * kMilli, {}, 500});  // a key offered, a session opened
    opening.push_back({kServer, 8 * kMilli, {}, 28});
    opening.push_back({kClient, kMilli, {}, 112});
    opening.push_back({kServer, 20 * kMilli, {}, session.rng.between(300, 1200)});
    plan.script = then(std::move(opening), Shell{session.rng.between(20, 400)});
    session.spawn(std::move(plan));
}

void start_web_transaction(Session& session) {
    Rng& rng = session.rng;
    TcpPlan plan = session.tcp(session.to_server(kTcp, 443), session.begin);
    plan.script = with_tls(
        rng,
        rng.between(1, 20),
        [](Rng& r) {
            return Message{
                kClient, 50 * kMilli + r.exponential(2 * kSecond), {}, r.between(250, 1500), true};
        },
        [](Rng& r) {
            const Nanos work = 5 * kMilli + r.exponential(60 * kMilli);
            return Message{kServer, work, {}, r.lognormal(1800, 0.8, 120, 40'000), true};
        });
    plan.closer = rng.chance(0.6) ? kClient : kServer;
    plan.end_delay = rng.exponential(2 * kSecond);
    session.spawn(std::move(plan));
}

void start_rpc(Session& session) {
    Rng& rng = session.rng;
    constexpr std::array<std::uint16_t, 3> kPorts{8443, 9443, 50051};
    const std::uint16_t port = rng.pick(kPorts);
    TcpPlan plan = session.tcp(session.to_server(kTcp, port), session.begin);
    plan.near = 50 * kMicro + rng.below(200 * kMicro);  // within a data centre
    plan.far = 50 * kMicro + rng.below(800 * kMicro);
    const Nanos gap = rng.between(2, 500) * kMilli;
    plan.script = with_tls(
        rng,
        rng.between(10, 300),
        [gap](Rng& r) {
            return Message{kClient, r.exponential(gap), {}, r.lognormal(180, 0.6, 60, 4000), true};
        },
        [](Rng& r) {
            const Nanos work = 150 * kMicro + r.exponential(2 * kMilli);
            return Message{kServer, work, {}, r.lognormal(350, 0.9, 40, 20'000), true};
        });
    session.spawn(std::move(plan));
}

namespace {

// A look-up by one resolver socket: A, and often AAAA, each asked again if no answer comes.
std::vector<Datagram> look_up(Rng& rng, Nanos now) {
    std::vector<Datagram> said;
    const std::string name = token(rng.between(3, 14), rng) + ".example.com";
    const Nanos trip = kMilli + rng.exponential(12 * kMilli);
    const auto ask = [&](DnsType type) {
        const auto id = static_cast<std::uint16_t>(rng.next());
        for (int tries = 0; tries < 3; ++tries) {
            said.push_back({now, kClient, dns_query(id, name, type)});
            if (!rng.chance(0.03)) {
                now += trip + (rng.chance(0.2) ? rng.exponential(60 * kMilli) : 0);
                const std::size_t bytes = rng.between(60, 360);
                said.push_back({now, kServer, dns_answer(id, name, type, bytes, rng)});
                return;
            }
            now += 5 * kSecond;
        }
    };
    ask(DnsType::a);
    if (rng.chance(0.6)) {
        now += rng.below(2 * kMilli);
        ask(DnsType::aaaa);
    }
    return said;
}

}  // namespace

void start_dns(Session& session) {
    const Tuple tuple = session.to_server(kUdp, 53);
    session.spawn(tuple, play(look_up(session.rng, session.begin)));
}

void start_browsing(Session& session) {
    Rng& rng = session.rng;
    const Tuple resolver = session.to_server(kUdp, 53);
    session.spawn(resolver, play(look_up(rng, session.begin)));
    const Address server = session.server();
    const std::uint64_t connections = rng.between(1, 6);
    Nanos start = session.begin + 5 * kMilli + rng.exponential(25 * kMilli);
    for (std::uint64_t i = 0; i < connections; ++i) {
        Tuple tuple = session.to_server(kTcp, 443);
        tuple.responder = rng.chance(0.7) ? server : tuple.responder;
        TcpPlan plan = session.tcp(tuple, start);
        auto ask = [asked = 0U, next = rng.between(3, 12)](Rng& r) mutable {
            const bool new_page = ++asked % next == 0;
            const Nanos delay =
                new_page ? 2 * kSecond + r.exponential(6 * kSecond) : r.exponential(30 * kMilli);
            return Message{kClient, delay, {}, r.between(300, 900), true};
        };
        auto answer = [](Rng& r) {
            const Nanos work = kMilli + r.exponential(25 * kMilli);
            return Message{kServer, work, {}, r.pareto(700, 1'500'000, 0.75), true};
        };
        plan.script = with_tls(rng, rng.between(1, 14), std::move(ask), std::move(answer));
        plan.closer = rng.chance(0.5) ? kClient : kServer;
        plan.end = rng.chance(0.08) ? End::reset : End::fin;
        plan.end_delay = rng.exponential(5 * kSecond);
        session.spawn(std::move(plan));
        start += 5 * kMilli + rng.exponential(150 * kMilli);
    }
}

void start_failed_connect(Session& session) {
    constexpr std::array<std::uint16_t, 4> kPorts{443, 80, 8080, 993};
    Tuple tuple = session.to_server(kTcp, session.rng.pick(kPorts));
    const bool refused = session.rng.chance(0.6);
    Nanos start = session.begin;
    for (std::uint64_t tries = session.rng.between(1, 3); tries > 0; --tries) {
        TcpPlan plan = session.tcp(tuple, start);
        plan.answer = refused ? Answer::refuse : Answer::silence;
        session.spawn(std::move(plan));
        tuple.initiator_port = session.client_port();
        start += kSecond + session.rng.exponential(4 * kSecond);
    }
}

}  // namespace weir::lab::synth

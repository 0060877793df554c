// SPDX-License-Identifier: BSD-3-Clause
// Scenarios of quiet harm: slow HTTP, guessing of passwords, tunnels, infected hosts.
#include "control/lab/generate_payload.h"
#include "control/lab/generate_probe.h"
#include "control/lab/generate_scenarios.h"
#include "control/lab/generate_talk.h"

#include <algorithm>

namespace weir::lab::synth {
namespace {

constexpr auto kClient = Side::initiator;
constexpr auto kServer = Side::responder;

// Begins `count` sources, `gap` apart by the attack's pace.
template <typename Begin>
void begin_many(Session& session, std::uint64_t count, Nanos gap, Begin begin) {
    session.spawn(make_repeater(
        session.begin,
        [own = session, count, gap, begin = std::move(begin)](
            Nanos now, Sink& sink) mutable -> std::optional<Nanos> {
            own.begin = now;
            own.sink = &sink;
            begin(own);
            return --count > 0 ? std::optional(now + own.pace(gap)) : std::nullopt;
        }));
}

// Connections that each say `opening` and then a little now and then.
void drip(Session& session, std::string_view method, Nanos gap, bool lines) {
    const Address victim = session.victim();
    const std::uint64_t connections = session.rng.between(30, 150);
    begin_many(session, connections, 30 * kMilli, [=](Session& own) {
        TcpPlan plan = own.tcp(own.attack_on(victim, kTcp, 80), own.begin);
        constexpr std::uint64_t kPromised = 1'000'000;
        std::string head = http_request(method, "/", lines ? 0 : kPromised, own.rng);
        if (lines) {
            head.resize(head.size() - 2);  // no blank line: the request goes on
        }
        std::vector<Message> opening;
        opening.push_back({kClient, kMilli, std::move(head)});
        plan.script = then(
            std::move(opening),
            [pacer = own, gap, lines, left = own.rng.between(5, 40)](
                Rng& rng) mutable -> std::optional<Message> {
                if (left-- == 0) {
                    return std::nullopt;
                }
                const Nanos delay = pacer.pace(rng.around(gap, 0.1));
                if (!lines) {
                    return Message{kClient, delay, {}, rng.between(1, 8) + pacer.padding()};
                }
                const std::string name = token(4, rng);
                return Message{kClient, delay, "X-" + name + ": " + token(4, rng) + "\r\n", 0};
            });
        plan.end = own.rng.chance(0.5) ? End::leave_open : End::reset;
        plan.closer = kServer;  // which has lost its patience
        own.spawn(std::move(plan));
    });
}

}  // namespace

void start_slow_headers(Session& session) {
    drip(session, "GET", session.rng.between(2, 10) * kSecond, true);
}

void start_slow_body(Session& session) {
    drip(session, "POST", session.rng.between(1, 8) * kSecond, false);
}

void start_slow_read(Session& session) {
    const Address victim = session.victim();
    const std::uint64_t connections = session.rng.between(20, 100);
    const Nanos pause = session.rng.between(500, 4000) * kMilli;
    const auto window = static_cast<std::uint16_t>(session.rng.between(64, 1024));
    begin_many(session, connections, 40 * kMilli, [=](Session& own) {
        TcpPlan plan = own.tcp(own.attack_on(victim, kTcp, 80), own.begin);
        plan.loss = 0;
        plan.read_pause = own.pace(pause);
        Stack& reader = plan.stacks[at(kClient)];
        reader.window_shift = 0;
        reader.syn_window = window;
        reader.window_bytes = window;
        const std::uint64_t bytes = own.rng.between(100'000, 900'000);
        std::vector<Message> said;
        said.push_back({kClient, kMilli, http_request("GET", "/large", 0, own.rng)});
        said.push_back({kServer, 3 * kMilli, http_response(200, "OK", bytes, own.rng), bytes});
        plan.script = then(std::move(said), {});
        own.spawn(std::move(plan));
    });
}

void start_ssh_bruteforce(Session& session) {
    const Address victim = session.victim();
    const std::uint64_t tries = session.rng.between(8, 60);
    const Nanos gap = session.rng.between(150, 900) * kMilli;
    begin_many(session, tries, gap, [=](Session& own) {
        Rng& rng = own.rng;
        TcpPlan plan = own.tcp(own.attack_on(victim, kTcp, 22), own.begin);
        auto opening = ssh_opening(rng);
        plan.script = then(
            std::move(opening),
            questions(
                rng.between(1, 6),
                [pacer = own](Rng& r) mutable {
                    const Nanos delay = pacer.pace(2 * kMilli + r.below(8 * kMilli));
                    return Message{kClient, delay, {}, 84 + 8 * r.below(6) + pacer.padding()};
                },
                [](Rng& r) {
                    const Nanos work = 200 * kMilli + r.exponential(900 * kMilli);
                    return Message{kServer, work, {}, r.chance(0.8) ? 52U : 68U};
                }));
        plan.closer = rng.chance(0.5) ? kClient : kServer;
        own.spawn(std::move(plan));
    });
}

void start_http_bruteforce(Session& session) {
    const Address victim = session.victim();
    const std::uint64_t connections = session.rng.between(5, 40);
    const Nanos gap = session.rng.between(80, 500) * kMilli;
    const std::uint64_t page = session.rng.between(150, 4000);
    begin_many(session, connections, gap, [=](Session& own) {
        Rng& rng = own.rng;
        TcpPlan plan = own.tcp(own.attack_on(victim, kTcp, 80), own.begin);
        plan.script = questions(
            rng.between(1, 12),
            [pacer = own](Rng& r) mutable {
                const Nanos delay = pacer.pace(kMilli + r.below(20 * kMilli));
                const std::uint64_t form = r.between(24, 60) + pacer.padding();
                return Message{kClient, delay, http_request("POST", "/login", form, r), form};
            },
            [page](Rng& r) {
                const Nanos work = 10 * kMilli + r.exponential(80 * kMilli);
                return Message{kServer, work, http_response(401, "Unauthorized", page, r), page};
            });
        own.spawn(std::move(plan));
    });
}

void start_dns_tunnel(Session& session) {
    Rng& rng = session.rng;
    const std::string zone = token(rng.between(3, 8), rng) + ".example.net";
    const Nanos gap = rng.between(30, 400) * kMilli;
    const std::uint64_t sockets = rng.between(2, 12);
    const std::uint64_t questions_each = rng.between(3, 40);
    const std::uint64_t label = rng.between(20, 60);
    // Each socket asks for a while before the next one does.
    begin_many(session, sockets, gap * questions_each, [=](Session& own) {
        const Nanos trip = 5 * kMilli + own.rng.exponential(20 * kMilli);
        own.spawn(
            own.call_home(kUdp, 53),
            [own,
             now = own.begin,
             left = questions_each,
             gap,
             trip,
             zone,
             label,
             asked = false,
             name = std::string(),
             id = std::uint16_t{0}](Rng& r) mutable -> std::optional<Datagram> {
                if (std::exchange(asked, false)) {
                    now += trip + r.below(3 * kMilli);
                    const std::size_t bytes = name.size() + r.between(60, 600);
                    return Datagram{now, kServer, dns_answer(id, name, DnsType::txt, bytes, r)};
                }
                if (left-- == 0) {
                    return std::nullopt;
                }
                now += name.empty() ? 0 : own.pace(r.exponential(gap));
                name.clear();
                for (std::uint64_t labels = r.between(1, 3); labels > 0; --labels) {
                    name.append(token(label, r)).append(".");
                }
                name += zone;
                id = static_cast<std::uint16_t>(r.next());
                asked = true;
                const std::size_t padding = std::min<std::uint64_t>(own.padding(), 400);
                return Datagram{now, kClient, dns_query(id, name, DnsType::txt, padding)};
            });
    });
}

namespace {

// A host that calls home at its interval until the capture ends.
template <typename Call>
void beacon(Session& session, Call call) {
    const Nanos interval = session.rng.between(1500, 15'000) * kMilli;
    session.spawn(make_repeater(
        session.begin,
        [own = session, interval, call = std::move(call), left = 1000U](
            Nanos now, Sink& sink) mutable -> std::optional<Nanos> {
            own.begin = now;
            own.sink = &sink;
            call(own);
            return --left > 0 ? std::optional(now + own.pace(own.rng.around(interval, 0.02)))
                              : std::nullopt;
        }));
}

}  // namespace

void start_beacon_https(Session& session) {
    constexpr std::array<std::uint16_t, 3> kPorts{443, 8443, 4443};
    const std::uint16_t port = session.rng.pick(kPorts);
    const std::uint64_t bytes = session.rng.between(120, 600);
    beacon(session, [port, bytes](Session& own) {
        TcpPlan plan = own.tcp(own.call_home(kTcp, port), own.begin);
        std::vector<Message> said = tls_opening(own.rng);
        said.push_back({kClient, kMilli, {}, bytes + own.padding(), true});
        // Mostly "nothing to do", now and then an order and its result.
        const bool order = own.rng.chance(0.1);
        const std::uint64_t size = order ? own.rng.between(400, 6000) : 64;
        said.push_back({kServer, 15 * kMilli, {}, size + own.padding(), true});
        if (order) {
            const std::uint64_t result = own.rng.between(500, 30'000);
            said.push_back({kClient, 300 * kMilli, {}, result + own.padding(), true});
        }
        plan.script = then(std::move(said), {});
        own.spawn(std::move(plan));
    });
}

void start_beacon_http(Session& session) {
    const std::string path = "/" + token(8, session.rng) + ".php";
    beacon(session, [path](Session& own) {
        TcpPlan plan = own.tcp(own.call_home(kTcp, 80), own.begin);
        const std::uint64_t form = own.rng.between(40, 90) + own.padding();
        const std::uint64_t body = own.rng.chance(0.1) ? own.rng.between(200, 2000) : 2;
        std::vector<Message> said;
        said.push_back({kClient, kMilli, http_request("POST", path, form, own.rng), form});
        said.push_back({kServer, 20 * kMilli, http_response(200, "OK", body, own.rng), body});
        plan.script = then(std::move(said), {});
        own.spawn(std::move(plan));
    });
}

// Some families tell whole address blocks of themselves by one short datagram each, and hardly anybody answers.
void start_beacon_udp(Session& session) {
    Rng& rng = session.rng;
    const Tuple from =
        session.call_home(kUdp, static_cast<std::uint16_t>(rng.between(1024, 49151)));
    const std::uint64_t first = rng.below(kReflectors);
    const std::uint64_t count = rng.between(60, 1000);
    const std::string greeting = token(rng.between(8, 48), rng);
    const Nanos burst = rng.between(2, 40) * kMilli;
    const double answered = 0.02 * rng.unit();
    session.spawn(make_repeater(
        session.begin,
        [own = session, from, first, count, greeting, burst, answered, index = std::uint64_t{0}](
            Nanos now, Sink& sink) mutable -> std::optional<Nanos> {
            Tuple tuple = from;
            tuple.responder = reflector_address(own.v6, (first + index) % kReflectors);
            std::string text = greeting + token(own.padding(), own.rng);
            std::vector<Shot> shots{datagram_shot(tuple, now, std::move(text), own.rng)};
            if (own.rng.chance(answered)) {
                Shot answer = datagram_shot(tuple, now + 30 * kMilli, greeting, own.rng);
                answer.opens = false;
                answer.packet.from = Side::responder;
                shots.push_back(std::move(answer));
            }
            sink.spawn(make_shots(std::move(shots)));
            return ++index < count ? std::optional(now + own.pace(burst)) : std::nullopt;
        }));
}

void start_exfiltration(Session& session) {
    Rng& rng = session.rng;
    const std::uint64_t files = rng.between(1, 5);
    const Nanos gap = rng.between(500, 4000) * kMilli;
    begin_many(session, files, gap, [](Session& own) {
        TcpPlan plan = own.tcp(own.call_home(kTcp, 443), own.begin);
        auto opening = tls_opening(own.rng);
        const std::uint64_t chunk = own.rng.between(8, 200) * 1024;
        plan.script = then(
            std::move(opening),
            questions(
                own.rng.between(2, 25),
                [pacer = own, chunk](Rng& r) mutable {
                    const Nanos delay = pacer.pace(r.exponential(150 * kMilli));
                    return Message{kClient, delay, {}, chunk + pacer.padding(), true};
                },
                [](Rng& r) {
                    return Message{kServer, 5 * kMilli + r.below(20 * kMilli), {}, 80, true};
                }));
        own.spawn(std::move(plan));
    });
}

}  // namespace weir::lab::synth

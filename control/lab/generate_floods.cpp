// SPDX-License-Identifier: BSD-3-Clause
// Scenarios of too much: floods, from few hosts or from sources made up, and reflection.
#include "control/lab/generate_payload.h"
#include "control/lab/generate_probe.h"
#include "control/lab/generate_scenarios.h"

#include <algorithm>

namespace weir::lab::synth {
namespace {

constexpr Nanos kPacketGap = 700 * kMicro;  // about 1400 packets a second; --intensity divides it

// When a flood that begins now is over.
Nanos flood_end(Session& session) {
    return session.begin + 800 * kMilli +
           std::min(session.rng.exponential(2500 * kMilli), 20 * kSecond);
}

// Lets `shoot(now)` make the packets of one gap after the other.
template <typename Shoot>
void flood(Session& session, Shoot shoot) {
    const Nanos until = flood_end(session);
    session.spawn(make_repeater(
        session.begin,
        [own = session, until, shoot = std::move(shoot)](
            Nanos now, Sink& sink) mutable -> std::optional<Nanos> {
            sink.spawn(make_shots(shoot(own, now)));
            const Nanos next = now + own.flood_pace(kPacketGap);
            return next < until ? std::optional(next) : std::nullopt;
        }));
}

void syn_flood(Session& session, bool spoofed) {
    constexpr std::array<std::uint16_t, 3> kTargets{80, 443, 22};
    SynProbe probe;
    const Address victim = session.victim();
    probe.tuple = session.attack_on(victim, kTcp, session.rng.pick(kTargets));
    probe.trip = 500 * kMicro + session.rng.exponential(10 * kMilli);
    probe.ttl = draw_ttl(session.rng);
    probe.window = session.rng.chance(0.5) ? 512 : 64240;
    probe.mss = session.rng.chance(0.4);
    probe.resets = !spoofed && session.rng.chance(0.5);
    const double answered = 0.02 + 0.5 * session.rng.unit();  // the rest falls to a full backlog
    flood(session, [probe, spoofed, answered](Session& own, Nanos now) mutable {
        probe.at = now;
        probe.tuple.initiator_port =
            spoofed ? static_cast<std::uint16_t>(1024 + own.rng.below(64512)) : own.attacker_port();
        if (spoofed) {
            probe.tuple.initiator = spoofed_address(own.v6, own.rng);
            probe.ttl = static_cast<std::uint8_t>(own.rng.between(40, 250));
        }
        probe.reply = own.rng.chance(answered) ? Reply::syn_ack : Reply::none;
        return syn_probe(probe, own.rng);
    });
}

// What a datagram flood throws at whom.
struct Barrage {
    bool icmp = false;
    std::uint8_t proto = kUdp;
    Address victim;
    bool letters = false;
    std::uint64_t least = 0;  // payload bytes
    std::uint64_t most = 0;

    [[nodiscard]] std::string payload(Rng& rng) const {
        const std::uint64_t bytes = rng.between(least, most);
        return letters ? token(bytes, rng) : std::string(bytes, 'X');
    }
    // A port that few services have; of ICMP, the identifier, which stands for both.
    [[nodiscard]] std::uint16_t port(std::uint16_t initiator_port, Rng& rng) const {
        return icmp ? initiator_port : static_cast<std::uint16_t>(rng.between(49152, 65535));
    }
};

Barrage draw_barrage(Session& session, bool icmp) {
    Rng& rng = session.rng;
    Barrage out;
    out.icmp = icmp;
    out.proto = !icmp ? kUdp : session.v6 ? kIcmpV6 : kIcmp;
    out.victim = session.victim();
    out.letters = rng.chance(0.4);  // what flooding tools send: these, or one byte over and over
    out.least = icmp ? 56 : rng.between(1, 512);
    out.most = out.least + (rng.chance(0.5) ? 0 : rng.below(900)) + session.options().padding;
    out.most = std::min<std::uint64_t>(out.most, 1400);
    return out;
}

// From made-up sources, each packet is a flow.
void spoofed_barrage(Session& session, bool icmp) {
    flood(session, [barrage = draw_barrage(session, icmp)](Session& own, Nanos now) {
        Tuple tuple{spoofed_address(own.v6, own.rng), barrage.victim};
        tuple.proto = barrage.proto;
        tuple.initiator_port = static_cast<std::uint16_t>(1024 + own.rng.below(64512));
        tuple.responder_port = barrage.port(tuple.initiator_port, own.rng);
        std::string payload = barrage.payload(own.rng);
        return std::vector<Shot>{datagram_shot(tuple, now, std::move(payload), own.rng)};
    });
}

// One host's part: a fat flow, and the victim's replies to some of it.
struct HostFlood {
    Session own;
    Barrage barrage;
    Nanos now = 0;
    Nanos until = 0;
    Nanos trip = 0;
    double replies = 0;
    Nanos reply = kNever;

    std::optional<Datagram> operator()(Rng& rng) {
        const Nanos due = std::min(now, reply);
        if (due >= until) {
            return std::nullopt;
        }
        if (reply <= now) {
            reply = kNever;
            return Datagram{due, Side::responder, barrage.payload(rng)};
        }
        now += own.flood_pace(kPacketGap);
        if (reply == kNever && rng.chance(replies)) {
            reply = due + trip;
        }
        return Datagram{due, Side::initiator, barrage.payload(rng)};
    }
};

// Tools that take the next source port for each packet: one host, one port asked, a flow a packet.
void counting_barrage(Session& session, const Barrage& barrage) {
    Tuple tuple = session.attack_on(barrage.victim, barrage.proto, 0);
    tuple.responder_port = session.rng.chance(0.5)
                               ? barrage.port(0, session.rng)
                               : static_cast<std::uint16_t>(session.rng.between(1, 1023));
    flood(session, [barrage, tuple](Session& own, Nanos now) mutable {
        tuple.initiator_port = static_cast<std::uint16_t>(std::max(1024, tuple.initiator_port + 1));
        return std::vector<Shot>{datagram_shot(tuple, now, barrage.payload(own.rng), own.rng)};
    });
}

void barrage_from_hosts(Session& session, bool icmp) {
    Rng& rng = session.rng;
    const Barrage barrage = draw_barrage(session, icmp);
    if (!icmp && rng.chance(0.5)) {
        counting_barrage(session, barrage);
        return;
    }
    const Nanos until = flood_end(session);
    const double replies = icmp ? rng.unit() : 0.0;
    const Nanos trip = 300 * kMicro + rng.exponential(8 * kMilli);
    for (std::uint64_t flows = rng.between(1, 4); flows > 0; --flows) {
        Tuple tuple = session.attack_on(barrage.victim, barrage.proto, 0);
        tuple.responder_port = barrage.port(tuple.initiator_port, rng);
        session.spawn(tuple, HostFlood{session, barrage, session.begin, until, trip, replies});
    }
}

// Answers to questions that the victim never asked, from hosts that answer anybody.
template <typename Answer>
void amplification(Session& session, std::uint16_t port, Answer answer) {
    Rng& rng = session.rng;
    const Nanos until = flood_end(session);
    const std::uint64_t reflectors = rng.between(20, 150);
    const Address victim = session.victim();
    const auto victim_port = static_cast<std::uint16_t>(1024 + rng.below(64512));
    const std::uint64_t first = rng.below(kReflectors);
    for (std::uint64_t i = 0; i < reflectors; ++i) {
        const Tuple tuple{
            reflector_address(session.v6, (first + i * 61) % kReflectors),
            victim,
            port,
            victim_port,
            kUdp};
        session.spawn(
            tuple,
            [own = session,
             now = session.begin + rng.below(300 * kMilli),
             until,
             reflectors,
             answer](Rng& random) mutable -> std::optional<Datagram> {
                if (now >= until) {
                    return std::nullopt;
                }
                const Nanos due = now;
                now += own.flood_pace(random.around(kPacketGap * reflectors, 0.5));
                return Datagram{due, Side::initiator, answer(random)};
            });
    }
}

// What victims of forged floods elsewhere send to us, whose addresses were forged: SYN-ACKs and RSTs to nobody's SYN.
struct Backscatter {
    Session own;
    std::vector<Tuple> victims;  // as initiators
    Nanos until = 0;
    Nanos gap = 0;
    double resets = 0;   // share of RSTs among what they send
    double answers = 0;  // share of SYN-ACKs to which our host says RST

    std::optional<Nanos> operator()(Nanos now, Sink& sink) {
        Rng& rng = own.rng;
        Packet packet;
        packet.tuple = victims[rng.below(victims.size())];
        packet.tuple.responder =
            rng.chance(0.5) ? client_address(own.v6, rng.below(kClients)) : own.victim();
        packet.tuple.responder_port = static_cast<std::uint16_t>(1024 + rng.below(64512));
        packet.ttl = draw_ttl(rng);
        packet.ip_id = static_cast<std::uint16_t>(rng.next());
        packet.tcp.ack = static_cast<std::uint32_t>(rng.next());
        const bool reset = rng.chance(resets);
        if (reset) {
            packet.tcp.flags = rng.chance(0.7) ? tcp_rst | tcp_ack : tcp_rst;
        } else {
            packet.tcp.flags = tcp_syn | tcp_ack;
            packet.tcp.seq = static_cast<std::uint32_t>(rng.next());
            packet.tcp.window = rng.chance(0.5) ? 8192 : 29200;
            packet.tcp.mss = rng.chance(0.8) ? 1460 : 0;
        }
        std::vector<Shot> shots{{now, true, packet, {}}};
        if (!reset && rng.chance(answers)) {
            Packet refusal;
            refusal.tuple = packet.tuple;
            refusal.from = Side::responder;
            refusal.tcp = {.seq = packet.tcp.ack, .flags = tcp_rst};
            shots.push_back({now + kMilli, false, refusal, {}});
        }
        sink.spawn(make_shots(std::move(shots)));
        const Nanos next = now + own.flood_pace(rng.around(gap, 0.9));
        return next < until ? std::optional(next) : std::nullopt;
    }
};

}  // namespace

void start_syn_flood(Session& session) {
    syn_flood(session, false);
}
void start_syn_flood_spoofed(Session& session) {
    syn_flood(session, true);
}
void start_udp_flood(Session& session) {
    barrage_from_hosts(session, false);
}
void start_udp_flood_spoofed(Session& session) {
    spoofed_barrage(session, false);
}
void start_icmp_flood(Session& session) {
    barrage_from_hosts(session, true);
}
void start_icmp_flood_spoofed(Session& session) {
    spoofed_barrage(session, true);
}

void start_backscatter(Session& session) {
    constexpr std::array<std::uint16_t, 6> kAttacked{80, 443, 22, 53, 6667, 25565};
    Rng& rng = session.rng;
    Backscatter out{session, {}, flood_end(session) + 6 * kSecond};
    for (std::uint64_t n = rng.between(1, 30); n > 0; --n) {
        Tuple tuple;
        tuple.initiator = reflector_address(session.v6, rng.below(kReflectors));
        tuple.initiator_port = rng.chance(0.8) ? rng.pick(kAttacked)
                                               : static_cast<std::uint16_t>(rng.between(1, 65535));
        tuple.proto = kTcp;
        out.victims.push_back(tuple);
    }
    out.gap = rng.between(2, 60) * kMilli;
    out.resets = rng.chance(0.3) ? 1.0 : 0.5 * rng.unit();
    out.answers = rng.chance(0.5) ? rng.unit() : 0.0;
    session.spawn(make_repeater(session.begin, std::move(out)));
}

void start_dns_amplification(Session& session) {
    const std::string name = token(session.rng.between(4, 12), session.rng) + ".example.org";
    const std::size_t bytes = session.rng.between(900, 1300);
    amplification(session, 53, [name, bytes](Rng& rng) {
        const auto id = static_cast<std::uint16_t>(rng.next());
        return dns_answer(id, name, DnsType::any, bytes, rng);
    });
}

void start_ntp_amplification(Session& session) {
    amplification(session, 123, [sequence = 0U](Rng& rng) mutable {
        return ntp_monlist(sequence++, 6, rng);
    });
}

}  // namespace weir::lab::synth

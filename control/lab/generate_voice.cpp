// SPDX-License-Identifier: BSD-3-Clause
// Scenarios of people together in real time: calls, their signaling, video meetings, games.
#include "control/lab/generate_payload.h"
#include "control/lab/generate_scenarios.h"
#include "control/lab/generate_talk.h"

#include <algorithm>

namespace weir::lab::synth {
namespace {

// Two ends that send by their own clocks. `send(side, due, rng)` gives the datagram and moves `due` on.
struct Clocks {
    std::array<Nanos, 2> due{};
    [[nodiscard]] Side earlier() const noexcept {
        return due[1] < due[0] ? Side::responder : Side::initiator;
    }
};

struct Codec {
    unsigned payload_type;
    std::size_t least;
    std::size_t most;
    std::uint32_t ticks;  // of the RTP clock, each 20 ms
    bool silence;         // sends (nearly) nothing while its speaker is silent
};
constexpr std::array<Codec, 4> kCodecs{{
    {0, 160, 160, 160, false},
    {8, 160, 160, 160, true},
    {18, 20, 20, 160, true},
    {111, 40, 120, 960, true},
}};

constexpr Nanos kFrame = 20 * kMilli;

struct Voice {
    Codec codec{};
    Clocks clocks;
    Nanos until = 0;
    std::array<Nanos, 2> spurt_end{};
    std::array<std::uint32_t, 2> ssrc{};
    std::array<std::uint32_t, 2> timestamp{};
    std::array<std::uint16_t, 2> sequence{};

    std::optional<Datagram> operator()(Rng& rng) {
        const Side side = clocks.earlier();
        const std::size_t s = at(side);
        const Nanos now = clocks.due[s];
        if (now >= until) {
            return std::nullopt;
        }
        Nanos gap = kFrame;
        bool talks_anew = false;
        if (codec.silence && now >= spurt_end[s]) {
            talks_anew = spurt_end[s] != 0;
            spurt_end[s] = now + 400 * kMilli + rng.exponential(1200 * kMilli);
        }
        if (codec.silence && now + kFrame >= spurt_end[s]) {
            gap += rng.exponential(1500 * kMilli) / kFrame * kFrame;
        }
        const std::string media = noise(rng.between(codec.least, codec.most), rng);
        Datagram out{
            now + rng.exponential(200 * kMicro),
            side,
            rtp(codec.payload_type, talks_anew, sequence[s]++, timestamp[s], ssrc[s], media)};
        timestamp[s] += codec.ticks * static_cast<std::uint32_t>(gap / kFrame);
        clocks.due[s] += gap;
        return out;
    }
};

// Media ports: even ones below the ephemeral range; the next one is RTCP's.
std::uint16_t media_port(std::uint16_t drawn) {
    return static_cast<std::uint16_t>(16384 + drawn % 8000 * 2);
}

}  // namespace

void start_rtp_voice(Session& session) {
    Rng& rng = session.rng;
    Tuple tuple = session.to_server(kUdp, 0);
    tuple.initiator_port = media_port(tuple.initiator_port);
    tuple.responder_port = session.service(media_port(static_cast<std::uint16_t>(rng.next())));
    Voice voice;
    voice.codec = rng.pick(kCodecs);
    voice.until =
        session.begin + 4 * kSecond + std::min(rng.exponential(50 * kSecond), 200 * kSecond);
    voice.clocks.due = {session.begin, session.begin + 5 * kMilli + rng.below(120 * kMilli)};
    for (std::size_t s = 0; s < 2; ++s) {
        voice.ssrc[s] = static_cast<std::uint32_t>(rng.next());
        voice.timestamp[s] = static_cast<std::uint32_t>(rng.next());
        voice.sequence[s] = static_cast<std::uint16_t>(rng.next());
    }
    Tuple reports = tuple;
    ++reports.initiator_port;
    ++reports.responder_port;
    Clocks clocks{{session.begin + 2 * kSecond, session.begin + 3 * kSecond}};
    session.spawn(
        reports,
        [clocks, ssrc = voice.ssrc, until = voice.until](
            Rng& random) mutable -> std::optional<Datagram> {
            const Side side = clocks.earlier();
            const Nanos now = clocks.due[at(side)];
            if (now >= until) {
                return std::nullopt;
            }
            clocks.due[at(side)] += random.around(5 * kSecond, 0.5);
            return Datagram{now, side, rtcp_report(ssrc[at(side)], ssrc[at(other(side))], random)};
        });
    session.spawn(tuple, voice);
}

void start_sip(Session& session) {
    Rng& rng = session.rng;
    const Tuple tuple = session.to_server(kUdp, 5060);
    const auto host = [](const Address& address) {
        return address.v6 ? '[' + address.text() + ']' : address.text();
    };
    SipDialog dialog{
        host(tuple.initiator) + ':' + std::to_string(tuple.initiator_port),
        host(tuple.responder),
        "user" + std::to_string(rng.below(1000)),
        "user" + std::to_string(rng.below(1000)),
        token(24, rng),
        token(8, rng)};
    std::vector<Datagram> said;
    Nanos now = session.begin;
    const Nanos trip = 4 * kMilli + rng.below(40 * kMilli);
    const auto ask = [&](Nanos gap, std::string_view method, bool sdp) {
        now += gap;
        said.push_back({now, Side::initiator, sip_request(dialog, method, sdp)});
    };
    const auto answer = [&](Nanos gap,
                            unsigned status,
                            std::string_view reason,
                            std::string_view method,
                            bool sdp) {
        now += trip + gap;
        said.push_back({now, Side::responder, sip_response(dialog, status, reason, method, sdp)});
    };
    ask(0, "REGISTER", false);
    answer(kMilli, 401, "Unauthorized", "REGISTER", false);
    ++dialog.sequence;
    ask(5 * kMilli, "REGISTER", false);
    answer(3 * kMilli, 200, "OK", "REGISTER", false);
    if (rng.chance(0.7)) {
        ++dialog.sequence;
        ask(rng.exponential(2 * kSecond), "INVITE", true);
        answer(kMilli, 100, "Trying", "INVITE", false);
        answer(rng.between(50, 400) * kMilli, 180, "Ringing", "INVITE", false);
        answer(rng.exponential(3 * kSecond), 200, "OK", "INVITE", true);
        ask(2 * kMilli, "ACK", false);
        ++dialog.sequence;
        ask(kSecond + rng.exponential(40 * kSecond), "BYE", false);
        answer(2 * kMilli, 200, "OK", "BYE", false);
    }
    for (std::uint64_t i = rng.below(5); i > 0; --i) {
        ++dialog.sequence;
        ask(rng.around(15 * kSecond, 0.1), "OPTIONS", false);
        answer(kMilli, 200, "OK", "OPTIONS", false);
    }
    session.spawn(tuple, play(std::move(said)));
}

namespace {

// One camera and microphone: frames in packets, paced; voice between them.
struct Camera {
    Nanos frame = 0;
    Nanos voice = 0;
    Nanos packet = kNever;  // of the frame under way
    std::uint64_t left = 0;
    std::uint16_t sequence = 0;
    std::uint32_t ssrc = 0;
    double median = 0;  // bytes a frame
    unsigned frames = 0;

    [[nodiscard]] Nanos due() const noexcept { return std::min({frame, voice, packet}); }
};

struct VideoCall {
    std::array<Camera, 2> cameras;
    Nanos until = 0;

    std::optional<Datagram> operator()(Rng& rng) {
        const Side side = cameras[1].due() < cameras[0].due() ? Side::responder : Side::initiator;
        Camera& camera = cameras[at(side)];
        const Nanos now = camera.due();
        if (now >= until) {
            return std::nullopt;
        }
        const auto timestamp = static_cast<std::uint32_t>(now / 11111);  // 90 kHz
        if (now == camera.voice) {
            camera.voice += kFrame;
            const std::string media = noise(rng.between(60, 160), rng);
            return Datagram{
                now, side, rtp(111, false, camera.sequence++, timestamp, camera.ssrc + 1, media)};
        }
        if (now == camera.frame) {
            const double scale =
                camera.frames++ % 150 == 0 ? 6.0 : 1.0;  // now and then a key frame
            camera.left = rng.lognormal(camera.median * scale, 0.4, 300, 60000);
            camera.frame += rng.around(33333 * kMicro, 0.05);
        }
        const std::size_t bytes = std::min<std::uint64_t>(camera.left, 1130);
        camera.left -= bytes;
        camera.packet = camera.left != 0 ? now + 200 * kMicro + rng.below(600 * kMicro) : kNever;
        return Datagram{
            now,
            side,
            rtp(96,
                camera.left == 0,
                camera.sequence++,
                timestamp,
                camera.ssrc,
                noise(bytes, rng))};
    }
};

}  // namespace

void start_video_call(Session& session) {
    Rng& rng = session.rng;
    VideoCall call;
    call.until =
        session.begin + 5 * kSecond + std::min(rng.exponential(60 * kSecond), 200 * kSecond);
    for (auto& camera : call.cameras) {
        camera.frame = session.begin + rng.below(33 * kMilli);
        camera.voice = session.begin + rng.below(20 * kMilli);
        camera.median = static_cast<double>(rng.between(1500, 6000));
        camera.ssrc = static_cast<std::uint32_t>(rng.next());
        camera.sequence = static_cast<std::uint16_t>(rng.next());
    }
    call.cameras[0].voice = session.begin;  // who calls sends first
    session.spawn(session.to_server(kUdp, 8801), call);
}

void start_game(Session& session) {
    Rng& rng = session.rng;
    const std::uint16_t port = static_cast<std::uint16_t>(rng.between(27015, 27019));
    struct Game {
        Clocks clocks;
        std::array<Nanos, 2> tick{};
        Nanos until = 0;
        double snapshot = 0;

        std::optional<Datagram> operator()(Rng& random) {
            const Side side = clocks.earlier();
            const Nanos now = clocks.due[at(side)];
            if (now >= until) {
                return std::nullopt;
            }
            clocks.due[at(side)] += random.around(tick[at(side)], 0.08);
            const std::size_t bytes = side == Side::initiator
                                          ? random.between(32, 80)
                                          : random.lognormal(snapshot, 0.5, 40, 1300);
            return Datagram{now, side, noise(bytes, random)};
        }
    } game;
    game.tick = {kSecond / rng.between(20, 64), kSecond / rng.between(15, 60)};
    game.clocks.due = {session.begin, session.begin + 10 * kMilli + rng.below(60 * kMilli)};
    game.until =
        session.begin + 5 * kSecond + std::min(rng.exponential(60 * kSecond), 200 * kSecond);
    game.snapshot = static_cast<double>(rng.between(120, 400));
    session.spawn(session.to_server(kUdp, port), game);
}

}  // namespace weir::lab::synth

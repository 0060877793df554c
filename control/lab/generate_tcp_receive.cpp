// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_tcp_connection.h"

#include <algorithm>
#include <utility>

namespace weir::lab::synth {

void Connection::pass(const Event& event, Sink& sink) {
    Packet packet;
    packet.tuple = plan_.tuple;
    packet.from = event.side;
    packet.ttl = plan_.stacks[at(event.side)].ttl;
    packet.ip_id = end(event.side).ip_id++;
    packet.tcp = event.tcp;
    std::array<std::uint8_t, kMaxIpBytes> buffer{};
    const auto payload = std::span(buffer).first(event.length);
    streams_[at(event.side)].read(event.offset, payload);
    packet.payload = payload;
    sink.packet(packet, !begun_);
    begun_ = true;
    if (!event.lost_after) {
        Event there = event;
        there.kind = Kind::arrive;
        there.at = event.at + to_tap(other(event.side));
        push(there);
    }
}

void Connection::arrive(const Event& event) {
    const Side me = other(event.side);
    if ((event.tcp.flags & tcp_rst) != 0) {
        over_ = true;
    }
    if (over_) {
        return;
    }
    if (event.tcp.timestamps) {
        end(me).ts_recent = event.tcp.ts_value;
    }
    const bool syn = (event.tcp.flags & tcp_syn) != 0;
    end(me).peer_window = std::uint64_t{event.tcp.window}
                          << (syn ? 0 : plan_.stacks[at(event.side)].window_shift);
    if (syn) {
        return greet(me, event);
    }
    take_ack(me, event);
    if (event.length == 0 && event.offset < end(me).received) {
        send(me, event.at, tcp_ack);  // answers a probe
    } else if (event.length != 0) {
        take_data(me, event);
    } else if ((event.tcp.flags & tcp_fin) != 0) {
        ++end(me).received;
        if (end(me).finished) {
            send(me, event.at, tcp_ack);
        } else {
            finish(me, event.at + 50 * kMicro);
        }
    }
}

void Connection::greet(Side me, const Event& event) {
    const Nanos now = event.at;
    if (me == Side::responder) {
        if (plan_.answer == Answer::refuse) {
            over_ = true;
            Event reset = segment(me, now, tcp_rst | tcp_ack);
            reset.tcp.seq = 0;
            reset.at = now + plan_.far + 20 * kMicro;
            push(reset);
            return;
        }
        const Nanos ready = now + 20 * kMicro + rng_.below(80 * kMicro);
        Event answer = segment(me, ready, tcp_syn | tcp_ack);
        answer.at = ready + plan_.far;
        end(me).last_pass = answer.at;
        push(answer);
        return;
    }
    send(me, now, tcp_ack);
    next_message(now, Side::initiator);
}

void Connection::take_ack(Side me, const Event& event) {
    Peer& mine = end(me);
    if (event.acked > mine.acked) {
        mine.acked = event.acked;
        mine.duplicates = 0;
        mine.window = std::min(mine.window + 1, kMaxSegmentsInFlight);
        if (mine.loss.open && mine.acked > mine.loss.offset) {
            mine.loss.open = false;
        }
        streams_[at(me)].forget_before(mine.acked);
    } else if (mine.loss.open && event.length == 0 && event.acked == mine.acked) {
        if (++mine.duplicates == 3) {
            resend(me, event.at);
        }
    }
    if (!mine.finished) {
        pump(me, event.at);
        if (mine.peer_window == 0 && mine.probe_gap == 0 && mine.sent < streams_[at(me)].size()) {
            mine.probe_gap = kMinRetransmit + 2 * (plan_.near + plan_.far);
            push({.at = event.at + mine.probe_gap, .kind = Kind::probe, .side = me});
        }
    }
}

// RFC 9293, 3.8.6.1: less and less often.
void Connection::probe(Side me, Nanos now) {
    Peer& mine = end(me);
    if (over_ || mine.peer_window != 0) {
        mine.probe_gap = 0;
        return;
    }
    Event probe = segment(me, now, tcp_ack);
    --probe.offset;
    --probe.tcp.seq;
    probe.at = std::max(now + to_tap(me), mine.last_pass + kMicro);
    mine.last_pass = probe.at;
    push(probe);
    mine.probe_gap *= 2;
    push({.at = now + mine.probe_gap, .kind = Kind::probe, .side = me});
}

void Connection::reopen(Side me, Nanos now) {
    end(me).full = false;
    if (!over_) {
        send(me, now, tcp_ack);
    }
}

void Connection::take_data(Side me, const Event& event) {
    Peer& mine = end(me);
    const std::uint64_t past = event.offset + event.length;
    bool at_once = true;  // gaps, and what fills them, are acknowledged immediately
    if (event.offset == mine.received) {
        mine.received = past;
        if (mine.ahead_from != mine.ahead_to && mine.ahead_from <= past) {
            mine.received = std::max(past, mine.ahead_to);
            mine.ahead_from = mine.ahead_to = 0;
        } else {
            at_once = ++mine.unacked >= 2;
        }
    } else if (event.offset > mine.received) {
        if (mine.ahead_from == mine.ahead_to) {
            mine.ahead_from = event.offset;
        }
        mine.ahead_to = std::max(mine.ahead_to, past);
    }
    if (plan_.read_pause != 0 && me == Side::initiator) {
        at_once = true;
        if (!std::exchange(mine.full, true)) {
            push({.at = event.at + plan_.read_pause, .kind = Kind::reopen, .side = me});
        }
    }
    if (at_once) {
        send(me, event.at, tcp_ack);
    } else {
        push(
            {.at = event.at + kDelayedAck,
             .kind = Kind::delayed_ack,
             .side = me,
             .offset = mine.timer});
    }
    if (talking_ && event.side == speaker_ && mine.received == streams_[at(event.side)].size()) {
        talking_ = false;
        next_message(event.at, me);
    }
}

}  // namespace weir::lab::synth

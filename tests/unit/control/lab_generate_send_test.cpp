// SPDX-License-Identifier: BSD-3-Clause
// Generated traffic on a live interface: what arrives is what the capture holds, in its order and not before its time.
#include "control/lab/generate_send.h"
#include "tests/unit/control/lab_generate_fixtures.h"

#include <array>
#include <cstring>
#include <thread>

#include <linux/if_packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

namespace weir::lab::synth {
namespace {

/// Runs `work` on a thread of its own in a network of its own, whose loopback is up; false where that is not allowed.
template <typename Work>
bool in_own_network(const Work& work) {
    bool allowed = false;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) != 0) {
            return;
        }
        const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
        ifreq request{};
        std::memcpy(request.ifr_name, "lo", 3);
        request.ifr_flags = IFF_UP | IFF_RUNNING;
        allowed = socket >= 0 && ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
        ::close(socket);
        if (allowed) {
            work();
        }
    }).join();
    return allowed;
}

/// What arrives at the loopback, from its making on.
class Listener {
  public:
    Listener() : fd_(::socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))) {
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_ALL);
        address.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        const int buffer = 8 << 20;
        EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)), 0);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { ::close(fd_); }

    /// Frames that came in and were not answers of this host's own stack to them.
    std::vector<std::vector<std::uint8_t>> received() const {
        std::vector<std::vector<std::uint8_t>> out;
        std::vector<std::uint8_t> frame(65536);
        sockaddr_ll from{};
        socklen_t length = sizeof(from);
        for (;;) {
            const auto size = ::recvfrom(
                fd_,
                frame.data(),
                frame.size(),
                MSG_DONTWAIT,
                reinterpret_cast<sockaddr*>(&from),
                &length);
            if (size < 0) {
                return out;
            }
            if (from.sll_pkttype == PACKET_OUTGOING) {  // each passes the loopback twice
                out.emplace_back(frame.begin(), frame.begin() + size);
            }
        }
    }

  private:
    int fd_;
};

struct Capture {
    std::vector<std::vector<std::uint8_t>> frames;
    double seconds = 0.0;  ///< from the first to the last
};

Capture read_frames(const std::string& path) {
    const std::string bytes = contents(path);
    Capture out;
    double first = 0.0;
    for (std::size_t at = 24; at + 16 <= bytes.size();) {
        std::array<std::uint32_t, 4> record{};
        std::memcpy(record.data(), bytes.data() + at, sizeof(record));
        const double when = record[0] + record[1] / 1e6;
        first = out.frames.empty() ? when : first;
        out.seconds = when - first;
        const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data()) + at + 16;
        out.frames.emplace_back(data, data + record[2]);
        at += 16 + record[2];
    }
    return out;
}

TEST(Send, WhatArrivesIsTheCaptureNotBeforeItsTime) {
    const TempDir dir;
    GenerateOptions options = options_in(dir, 4);
    options.scenarios = {"dns", "browsing", "syn_port_scan"};
    options.packets = 400;
    must(options);
    const Capture capture = read_frames(options.out);
    const auto& frames = capture.frames;
    const bool allowed = in_own_network([&] {
        const Listener listener;
        const auto sent = send({options.out, "lo", 8.0, nullptr});
        ASSERT_TRUE(sent) << sent.error().line();
        EXPECT_EQ(sent->packets, frames.size());
        EXPECT_EQ(sent->too_long, 0U);
        std::size_t next = 0;
        for (const auto& frame : listener.received()) {
            next += next < frames.size() && frame == frames[next] ? 1 : 0;
        }
        EXPECT_EQ(next, frames.size()) << "all of them, in their order";
        EXPECT_GE(sent->seconds, capture.seconds / 8.0);
    });
    if (!allowed) {
        GTEST_SKIP() << "skipped: needs root for a network of its own";
    }
}

TEST(Send, AStopEndsIt) {
    const TempDir dir;
    const GenerateOptions options = options_in(dir, 5);
    must(options);
    const volatile std::sig_atomic_t stop = 1;
    if (!in_own_network([&] {
            const auto sent = send({options.out, "lo", 1.0, &stop});
            ASSERT_TRUE(sent) << sent.error().line();
            EXPECT_EQ(sent->packets, 0U);
        })) {
        GTEST_SKIP() << "skipped: needs root for a network of its own";
    }
}

TEST(Send, RefusesWhatItCannotSendTo) {
    for (const char* name : {"", "nosuch0", "a-name-that-is-far-too-long-for-one"}) {
        const auto refused = may_send(name);
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error().field, "--send-to");
        EXPECT_NE(refused.error().line().find("fix: "), std::string::npos);
    }
}

}  // namespace
}  // namespace weir::lab::synth

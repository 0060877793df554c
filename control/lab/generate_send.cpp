// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_send.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <linux/if_packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <unistd.h>

namespace weir::lab::synth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kMagic = 0xa1b2c3d4;
constexpr std::uint32_t kMostFrame = 65536;
constexpr std::chrono::milliseconds kNap{50};  // between looks at `stop`
constexpr std::chrono::microseconds kFullQueue{100};

struct FileHeader {
    std::uint32_t magic, version, zone, accuracy, snap, link;
};
struct RecordHeader {
    std::uint32_t seconds, microseconds, captured, original;
};

class Socket {
  public:
    explicit Socket(int fd) : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Socket& operator=(Socket&&) = delete;
    ~Socket() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

tl::unexpected<Error> refused(const std::string& interface, const std::string& what) {
    return fail(
        "generate",
        "--send-to",
        "'" + interface + "': " + what,
        "name an Ethernet interface that is up (ip link), and run as root or with CAP_NET_RAW");
}

/// A socket bound to the interface, and what a frame on it may measure.
Result<std::pair<Socket, std::uint32_t>> open_interface(const std::string& name) {
    ifreq request{};
    if (name.empty() || name.size() >= sizeof(request.ifr_name)) {
        return refused(name, "is no name of an interface");
    }
    Socket socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (socket.fd() < 0) {
        return refused(name, std::strerror(errno));
    }
    std::memcpy(request.ifr_name, name.c_str(), name.size());
    if (::ioctl(socket.fd(), SIOCGIFFLAGS, &request) != 0) {
        return refused(name, std::strerror(errno));
    }
    if ((request.ifr_flags & IFF_UP) == 0) {
        return refused(name, "is down");
    }
    if (::ioctl(socket.fd(), SIOCGIFMTU, &request) != 0) {
        return refused(name, std::strerror(errno));
    }
    const auto most = static_cast<std::uint32_t>(request.ifr_mtu) + ETH_HLEN;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(::if_nametoindex(name.c_str()));
    if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return refused(name, std::strerror(errno));
    }
    return std::pair(std::move(socket), most);
}

bool stopped(const SendOptions& options) {
    return options.stop != nullptr && *options.stop != 0;
}

/// Until `due`, or until a stop is asked for.
void wait_until(Clock::time_point due, const SendOptions& options) {
    for (auto now = Clock::now(); now < due && !stopped(options); now = Clock::now()) {
        std::this_thread::sleep_for(std::min<Clock::duration>(due - now, kNap));
    }
}

Result<void> send_one(
    const Socket& socket, const std::vector<std::uint8_t>& frame, const SendOptions& options) {
    while (::send(socket.fd(), frame.data(), frame.size(), 0) < 0) {
        if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
            return refused(options.interface, std::strerror(errno));
        }
        if (stopped(options)) {
            return {};
        }
        std::this_thread::sleep_for(kFullQueue);
    }
    return {};
}

}  // namespace

Result<void> may_send(const std::string& interface) {
    if (const auto open = open_interface(interface); !open) {
        return tl::unexpected(open.error());
    }
    return {};
}

Result<SendSummary> send(const SendOptions& options) {
    const auto open = open_interface(options.interface);
    if (!open) {
        return tl::unexpected(open.error());
    }
    const std::unique_ptr<FILE, int (*)(FILE*)> file(
        std::fopen(options.capture.c_str(), "rbe"), &std::fclose);
    FileHeader header{};
    if (!file || std::fread(&header, sizeof(header), 1, file.get()) != 1 ||
        header.magic != kMagic || header.link != 1) {
        return fail(options.capture, "", "is no capture of weirlab generate", "generate it anew");
    }
    SendSummary out;
    RecordHeader record{};
    std::vector<std::uint8_t> frame;
    double first = -1.0;
    const auto begin = Clock::now();
    while (!stopped(options) && std::fread(&record, sizeof(record), 1, file.get()) == 1) {
        frame.resize(std::min(record.captured, kMostFrame));
        if (record.captured > kMostFrame ||
            std::fread(frame.data(), 1, frame.size(), file.get()) != frame.size()) {
            return fail(options.capture, "", "is cut short or damaged", "generate it anew");
        }
        const double at = record.seconds + record.microseconds / 1e6;
        first = first < 0.0 ? at : first;
        const auto due = begin + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>((at - first) / options.speed));
        wait_until(due, options);
        if (frame.size() > open->second) {
            ++out.too_long;
            continue;
        }
        if (const auto sent = send_one(open->first, frame, options); !sent) {
            return tl::unexpected(sent.error());
        }
        const std::chrono::duration<double> late = Clock::now() - due;
        out.latest_s = std::max(out.latest_s, late.count());
        out.bytes += frame.size();
        ++out.packets;
    }
    out.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return out;
}

}  // namespace weir::lab::synth

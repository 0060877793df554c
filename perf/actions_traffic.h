// SPDX-License-Identifier: BSD-3-Clause
// Small frames of many flows for the benchmark of actions, written into net_null's mbufs; and a look at what is sent.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

struct rte_eth_rxtx_callback;
struct rte_mbuf;

namespace weir::perf {

enum class Traffic : std::uint8_t {
    v4,    ///< TCP over IPv4, 60 bytes
    v6,    ///< TCP over IPv6, 74 bytes
    vlan,  ///< TCP over IPv4 in a VLAN, 64 bytes
    fresh  ///< as v4, and every packet begins a flow of a source of its own
};

inline constexpr std::uint32_t kActionFlows = 1U << 14;

/// Endless; two packets a flow before it begins again, of both directions but for `fresh`.
class ActionTraffic {
  public:
    ActionTraffic();
    void select(Traffic kind) noexcept;
    /// A receive callback of ethdev; `self` is an ActionTraffic.
    static std::uint16_t receive(
        std::uint16_t,
        std::uint16_t,
        rte_mbuf* packets[],
        std::uint16_t count,
        std::uint16_t,
        void* self);

  private:
    static constexpr std::uint32_t kFrameBytes = 80;
    struct Frame {
        std::array<std::uint8_t, kFrameBytes> bytes{};
        std::uint16_t size = 0;
    };
    [[nodiscard]] static Frame make(Traffic kind, std::uint32_t flow, bool forward);
    std::array<std::vector<Frame>, 4> frames_;  ///< by Traffic
    const std::vector<Frame>* chosen_ = nullptr;
    std::size_t at_ = 0;
    std::uint32_t fresh_ = 0;
};

/// What every frame that leaves by a port must look like.
struct Look {
    std::uint8_t dscp = 0;
    std::uint8_t pcp = 0;  ///< of tagged frames
    bool reset = false;    ///< TCP RSTs, of whatever DSCP
};

/// Looks at the frames that a port sends, while it is on.
class SentWitness {
  public:
    explicit SentWitness(std::uint16_t port) : port_(port) {}
    ~SentWitness() { stop(); }
    SentWitness(const SentWitness&) = delete;
    SentWitness& operator=(const SentWitness&) = delete;
    /// False if ethdev refuses.
    [[nodiscard]] bool start(const Look& look);
    void stop();
    [[nodiscard]] std::uint64_t right() const noexcept { return right_; }
    [[nodiscard]] std::uint64_t wrong() const noexcept { return wrong_; }

  private:
    [[nodiscard]] bool as_told(const rte_mbuf& packet) const noexcept;
    std::uint16_t port_;
    const rte_eth_rxtx_callback* callback_ = nullptr;
    Look look_;
    std::uint64_t right_ = 0;
    std::uint64_t wrong_ = 0;
};

}  // namespace weir::perf

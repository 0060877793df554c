// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror/packet_comment.h"

#include "config/load.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include <rte_mbuf.h>

namespace weir::control {

namespace {

constexpr std::uint32_t kEnhancedPacketBlock = 6;
constexpr std::uint16_t kOptionEnd = 0;
constexpr std::uint16_t kOptionComment = 1;
constexpr std::uint32_t kOptionHead = 4;
constexpr std::uint32_t kBlockTail = 4;  // the block's length again

/// Host byte order, as the section's header says.
struct PacketBlock {
    std::uint32_t type;
    std::uint32_t length;
    std::uint32_t interface;
    std::uint32_t time_high;
    std::uint32_t time_low;
    std::uint32_t captured;
    std::uint32_t original;
};

struct OptionHead {
    std::uint16_t code;
    std::uint16_t length;
};

[[nodiscard]] constexpr std::uint32_t padded(std::uint32_t bytes) noexcept {
    return (bytes + 3) / 4 * 4;
}

// Where a block's options end; 0: they are none.
[[nodiscard]] std::uint32_t options_end(
    const std::uint8_t* block, const PacketBlock& head) noexcept {
    std::uint32_t at = sizeof(PacketBlock) + padded(head.captured);
    while (at + kOptionHead + kBlockTail <= head.length) {
        OptionHead option;
        std::memcpy(&option, block + at, sizeof(option));
        if (option.code == kOptionEnd) {
            break;
        }
        at += kOptionHead + padded(option.length);
    }
    return at + kBlockTail <= head.length ? at : 0;
}

void add_verdict(
    std::string& out,
    const std::string& slot,
    const dataplane::Verdict& verdict,
    const EventNames& names) {
    out += "; " + slot + " class=";
    if (verdict.cls == dataplane::kNoClass) {
        out += "none";
        return;
    }
    std::array<char, 32> score{};
    (void)std::snprintf(score.data(), score.size(), "%.4f", verdict.score / 65535.0);
    out += dataplane::class_name(slot, verdict.cls) + " score=" + score.data();
    if (const auto model = names.models.find(verdict.model_ref); model != names.models.end()) {
        out += " model=" + model->second.name + " version=" + std::to_string(model->second.version);
    }
    out += " packet=" + std::to_string(verdict.decided_at_packet);
}

}  // namespace

std::string mirror_comment(
    const dataplane::MirrorTag& tag,
    const EventNames& names,
    std::span<const std::string> policies) {
    std::string out = "verdict=";
    if (tag.disposition == dataplane::Disposition::drop) {
        const auto reason = static_cast<std::size_t>(tag.reason);
        out += "drop reason=";
        out += dataplane::kDropReasonTable[reason].name;
        out += tag.reset ? " reset=yes" : "";
    } else if (tag.dscp != dataplane::kKeepDscp) {
        out += "mark dscp=" + config::dscp_name(tag.dscp);
    } else {
        out += "pass";
    }
    out += " rule=policies.";
    out += tag.policy < policies.size() ? policies[tag.policy] : std::to_string(tag.policy);
    out += ".rules[" + std::to_string(tag.row) + "]";
    for (std::size_t s = 0; s < names.slots.size() && s < tag.verdicts.size(); ++s) {
        add_verdict(out, names.slots[s], tag.verdicts[s], names);
    }
    return out;
}

bool annotate_packet(rte_mbuf& copy, std::uint64_t time_ns, std::string_view comment) noexcept {
    PacketBlock head;
    if (copy.next != nullptr || copy.data_len < sizeof(head) + kBlockTail) {
        return false;
    }
    auto* const block = rte_pktmbuf_mtod(&copy, std::uint8_t*);
    std::memcpy(&head, block, sizeof(head));
    if (head.type != kEnhancedPacketBlock || head.length != copy.data_len ||
        head.captured > head.length) {
        return false;
    }
    const std::uint32_t at = options_end(block, head);
    constexpr std::uint32_t kMost = dataplane::MirrorRing::kTailBytes - 4 * kOptionHead;
    const auto length = static_cast<std::uint16_t>(std::min<std::size_t>(comment.size(), kMost));
    const std::uint32_t wanted = at + kOptionHead + padded(length) + kOptionHead + kBlockTail;
    if (at == 0 || wanted - head.length > rte_pktmbuf_tailroom(&copy) || wanted < head.length ||
        rte_pktmbuf_append(&copy, static_cast<std::uint16_t>(wanted - head.length)) == nullptr) {
        return false;
    }
    std::memset(block + at, 0, wanted - at);  // padding, and the option that ends them
    const OptionHead option{kOptionComment, length};
    std::memcpy(block + at, &option, sizeof(option));
    std::memcpy(block + at + kOptionHead, comment.data(), length);
    head.length = wanted;
    head.time_high = static_cast<std::uint32_t>(time_ns >> 32U);
    head.time_low = static_cast<std::uint32_t>(time_ns);
    std::memcpy(block, &head, sizeof(head));
    std::memcpy(block + wanted - kBlockTail, &wanted, sizeof(wanted));
    return true;
}

}  // namespace weir::control

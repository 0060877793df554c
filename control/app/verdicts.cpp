// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/verdicts.h"

#include "dataplane/batch.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <cstdio>

#include <arpa/inet.h>

namespace weir::app {

namespace {

constexpr std::uint64_t kNsPerS = 1'000'000'000;
constexpr std::uint64_t kNsPerUs = 1000;

[[nodiscard]] std::string seconds_text(std::uint64_t ns) {
    char text[32];
    std::snprintf(
        text,
        sizeof(text),
        "%llu.%06llu",
        static_cast<unsigned long long>(ns / kNsPerS),
        static_cast<unsigned long long>(ns % kNsPerS / kNsPerUs));
    return text;
}

[[nodiscard]] std::string score_text(std::uint16_t score) {
    char text[16];
    std::snprintf(text, sizeof(text), "%.6f", static_cast<double>(score) / 65535.0);
    return text;
}

// Model and class names are [a-z0-9._-] by the bundle's checks, slot names by the configuration's: nothing to escape.
[[nodiscard]] std::string slot_json(
    const std::string& slot, const dataplane::Verdict& verdict, const dataplane::SlotModel* model) {
    return "\"" + slot + "\":{\"model\":\"" + (model != nullptr ? model->name : "?") +
           "\",\"version\":" + std::to_string(model != nullptr ? model->version : 0) +
           ",\"class\":\"" + dataplane::class_name(slot, verdict.cls) +
           "\",\"score\":" + score_text(verdict.score) +
           ",\"decided_at_packet\":" + std::to_string(verdict.decided_at_packet) + "}";
}

}  // namespace

std::string address_text(const std::array<std::uint8_t, 16>& address, std::uint8_t ip_version) {
    char text[INET6_ADDRSTRLEN] = {};
    constexpr std::size_t kV4Offset = 12;
    if (ip_version == 4) {
        inet_ntop(AF_INET, address.data() + kV4Offset, text, sizeof(text));
    } else {
        inet_ntop(AF_INET6, address.data(), text, sizeof(text));
    }
    return text;
}

std::string verdict_json(
    const dataplane::FlowRecord& record,
    const std::vector<std::string>& slots,
    const std::vector<std::shared_ptr<const dataplane::SlotModel>>& models) {
    const dataplane::FlowKey& key = record.key;
    const bool hi = record.initiator_is_hi;
    std::string out = "{\"first_ts\":" + seconds_text(record.first_ns) +
                      ",\"last_ts\":" + seconds_text(record.last_ns);
    out += ",\"proto\":" + std::to_string(key.proto);
    out += ",\"src\":\"" + address_text(hi ? key.addr_hi : key.addr_lo, key.ip_version);
    out += "\",\"sport\":" + std::to_string(ntohs(hi ? key.port_hi : key.port_lo));
    out += ",\"dst\":\"" + address_text(hi ? key.addr_lo : key.addr_hi, key.ip_version);
    out += "\",\"dport\":" + std::to_string(ntohs(hi ? key.port_lo : key.port_hi));
    out += ",\"tunnel\":" + std::to_string(key.tunnel_id);
    out += ",\"packets\":" + std::to_string(std::uint64_t{record.packets[0]} + record.packets[1]);
    out += ",\"bytes\":" + std::to_string(record.bytes[0] + record.bytes[1]) + ",\"slots\":{";
    bool first = true;
    for (std::size_t s = 0; s < slots.size(); ++s) {
        const dataplane::Verdict& verdict = record.verdicts[s];
        if (verdict.cls == dataplane::kNoClass) {
            continue;
        }
        const auto model = std::find_if(models.begin(), models.end(), [&](const auto& candidate) {
            return candidate != nullptr && candidate->ref == verdict.model_ref;
        });
        out += (first ? "" : ",") +
               slot_json(slots[s], verdict, model != models.end() ? model->get() : nullptr);
        first = false;
    }
    const bool marked = record.dscp != dataplane::FlowRecord::kKeepDscpRecord;
    out += "},\"action\":{\"dscp\":" + (marked ? std::to_string(record.dscp) : std::string("null"));
    out += std::string(",\"verdict\":\"") + (record.dropped ? "drop" : "pass") + "\"}}";
    return out;
}

}  // namespace weir::app

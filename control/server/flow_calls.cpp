// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/flow_calls.h"

#include "config/findings.h"
#include "config/load.h"
#include "control/export/flow_event.h"
#include "control/registry/flow_name.h"
#include "control/registry/overrides.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <arpa/inet.h>

namespace weir::control {

namespace {

constexpr double kScoreOne = 65535.0;

grpc::Status invalid(const std::string& text) {
    return {grpc::StatusCode::INVALID_ARGUMENT, text};
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

/// Names of classes that the slot's models have had so far; all slots' where none is given.
std::vector<std::string> known_classes(
    const std::vector<std::string>& slots, const std::optional<std::size_t>& slot) {
    std::vector<std::string> known;
    for (std::size_t s = slot.value_or(0); s < (slot ? *slot + 1 : slots.size()); ++s) {
        for (std::uint32_t id = 0; id < dataplane::kMaxClasses; ++id) {
            const auto name = dataplane::class_name(slots[s], static_cast<std::uint8_t>(id));
            if (name != "unknown" && std::find(known.begin(), known.end(), name) == known.end()) {
                known.push_back(name);
            }
        }
    }
    return known;
}

grpc::Status not_one_of(
    const std::string& option, const std::string& value, const std::vector<std::string>& known) {
    return invalid(
        option + ": " + config::quote(value) +
        (known.empty() ? " is unknown: no model has named a class yet"
                       : " is not one of " + joined(known)));
}

}  // namespace

grpc::Status filter_of(
    const v1::FlowFilter& wire, const std::vector<std::string>& slots, FlowFilter& out) {
    if (!wire.slot().empty()) {
        const auto at = std::find(slots.begin(), slots.end(), wire.slot());
        if (at == slots.end()) {
            return not_one_of("--slot", wire.slot(), slots);
        }
        out.slot = static_cast<std::size_t>(at - slots.begin());
    }
    if (!wire.class_name().empty()) {
        const auto known = known_classes(slots, out.slot);
        if (std::find(known.begin(), known.end(), wire.class_name()) == known.end()) {
            return not_one_of("--class", wire.class_name(), known);
        }
        out.cls = wire.class_name();
    }
    if (!wire.prefix().empty()) {
        out.prefix = config::parse_prefix(wire.prefix());
        if (!out.prefix) {
            return invalid(
                "--prefix: " + config::quote(wire.prefix()) +
                " is no address and no prefix, or has bits beyond its length; fix: such as "
                "10.0.0.0/8, 2001:db8::/32 or 192.0.2.1");
        }
    }
    if (!(wire.min_confidence() >= 0.0 && wire.min_confidence() <= 1.0)) {
        return invalid(
            "--min-confidence: '" + std::to_string(wire.min_confidence()) +
            "' is not within 0 to 1");
    }
    out.min_score = static_cast<std::uint16_t>(std::lround(wire.min_confidence() * kScoreOne));
    return grpc::Status::OK;
}

grpc::Status query_of(
    const v1::ListFlowsRequest& wire, const std::vector<std::string>& slots, FlowQuery& out) {
    constexpr std::uint32_t kMostFlows = 1000;
    constexpr std::array<std::string_view, 4> kOrders{"bytes", "packets", "score", "recent"};
    if (auto status = filter_of(wire.filter(), slots, out.filter); !status.ok()) {
        return status;
    }
    if (!wire.by().empty()) {
        const auto* const at = std::find(kOrders.begin(), kOrders.end(), wire.by());
        if (at == kOrders.end()) {
            return not_one_of("--by", wire.by(), {kOrders.begin(), kOrders.end()});
        }
        out.by = static_cast<FlowOrder>(at - kOrders.begin());
    }
    if (out.by == FlowOrder::score && !out.filter.slot) {
        return invalid("--slot: is needed with --by score; fix: one of " + joined(slots));
    }
    if (wire.top() > kMostFlows) {
        return invalid("--top: '" + std::to_string(wire.top()) + "' is not within 1 to 1000");
    }
    out.top = wire.top() == 0 ? out.top : wire.top();
    return grpc::Status::OK;
}

void fill(
    const dataplane::FlowRecord& record,
    const std::vector<std::string>& slots,
    const ModelLabels& models,
    v1::Flow& out,
    const dataplane::OverrideSet* overrides) {
    const dataplane::FlowKey& key = record.key;
    const bool hi = record.initiator_is_hi;
    out.set_ip_protocol(key.proto);
    out.set_source(address_text(hi ? key.addr_hi : key.addr_lo, key.ip_version));
    out.set_source_port(ntohs(hi ? key.port_hi : key.port_lo));
    out.set_destination(address_text(hi ? key.addr_lo : key.addr_hi, key.ip_version));
    out.set_destination_port(ntohs(hi ? key.port_lo : key.port_hi));
    out.set_vlan(key.vlan);
    out.set_tunnel(key.tunnel_id);
    out.set_first_unix_ns(record.first_ns);
    out.set_last_unix_ns(record.last_ns);
    out.set_packets_sent(record.packets[0]);
    out.set_packets_received(record.packets[1]);
    out.set_bytes_sent(record.bytes[0]);
    out.set_bytes_received(record.bytes[1]);
    out.set_dropped(record.dropped);
    out.set_id(flow_id(record));
    if (const auto rule = overrides == nullptr ? dataplane::kNoOverride : overrides->find(key);
        rule != dataplane::kNoOverride) {
        out.set_override(std::string(kind_name(overrides->kind(rule))));
    }
    if (record.dscp != dataplane::FlowRecord::kKeepDscpRecord) {
        out.set_dscp(record.dscp);
    }
    for (std::size_t s = 0; s < slots.size(); ++s) {
        const dataplane::Verdict& verdict = record.verdicts.at(s);
        if (verdict.cls == dataplane::kNoClass) {
            continue;
        }
        auto& told = *out.add_verdicts();
        told.set_slot(slots[s]);
        told.set_class_name(dataplane::class_name(slots[s], verdict.cls));
        told.set_confidence(verdict.score / kScoreOne);
        told.set_decided_at_packet(verdict.decided_at_packet);
        if (const auto model = models.find(verdict.model_ref); model != models.end()) {
            told.set_model(model->second.name);
            told.set_version(model->second.version);
        }
    }
}

}  // namespace weir::control

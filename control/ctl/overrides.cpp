// SPDX-License-Identifier: BSD-3-Clause
// weirctl block, allow, unblock, overrides
#include "control/ctl/client.h"
#include "control/ctl/flow_words.h"
#include "control/ctl/print.h"

#include <cstdio>
#include <string>

namespace weir::ctl {

namespace {

Exit set(Client& client, const Call& call, const std::string& kind) {
    constexpr std::uint32_t kLongest = 30 * 86'400;
    const auto seconds = time_span(call, "for", 1, kLongest);
    if (!seconds) {
        return Exit::bad_input;
    }
    v1::SetOverrideRequest request;
    request.set_target(call.get("TARGET"));
    request.set_kind(kind);
    request.set_seconds(*seconds);
    v1::SetOverrideReply reply;
    const auto context = client.context();
    if (const auto got = client.stub().SetOverride(context.get(), request, &reply); !got.ok()) {
        return client.report_status(call, got);
    }
    warn(reply.warnings());
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    std::printf(
        "%s %s until %s%s\n",
        reply.override().kind().c_str(),
        reply.override().target().c_str(),
        date(reply.override().until_unix()).c_str(),
        reply.replaced() ? ", in place of the override it had" : "");
    return Exit::ok;
}

Exit remove(Client& client, const Call& call, const std::string& target) {
    v1::RemoveOverrideRequest request;
    request.set_target(target);
    v1::RemoveOverrideReply reply;
    const auto context = client.context();
    if (const auto got = client.stub().RemoveOverride(context.get(), request, &reply); !got.ok()) {
        return client.report_status(call, got);
    }
    if (call.json) {
        print_json(reply);
    } else {
        std::printf(
            "no longer: %s %s\n",
            reply.override().kind().c_str(),
            reply.override().target().c_str());
    }
    return Exit::ok;
}

}  // namespace

std::string overrides_text(const google::protobuf::RepeatedPtrField<v1::Override>& overrides) {
    TextTable table;
    table.row({"OVERRIDE", "TARGET", "LEFT", "UNTIL", "BY"});
    for (const auto& override : overrides) {
        table.row(
            {override.kind(),
             override.target(),
             duration(override.seconds_left()),
             date(override.until_unix()),
             override.by()});
    }
    return table.empty() ? "" : table.text();
}

Exit run_block(Client& client, const Call& call) {
    return set(client, call, "block");
}

Exit run_allow(Client& client, const Call& call) {
    return set(client, call, "allow");
}

Exit run_unblock(Client& client, const Call& call) {
    return remove(client, call, call.get("TARGET"));
}

Exit run_overrides(Client& client, const Call& call) {
    v1::ListOverridesReply reply;
    const auto context = client.context();
    if (const auto got = client.stub().ListOverrides(context.get(), {}, &reply); !got.ok()) {
        return client.report_status(call, got);
    }
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    const std::string text = overrides_text(reply.overrides());
    std::fputs(text.empty() ? "no overrides\n" : text.c_str(), stdout);
    return Exit::ok;
}

}  // namespace weir::ctl

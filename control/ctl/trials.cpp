// SPDX-License-Identifier: BSD-3-Clause
// weirctl models shadow, canary, withdraw, trials; whoami
#include "control/ctl/client.h"
#include "control/ctl/print.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace weir::ctl {

namespace {

constexpr int kPairsShown = 8;

Exit stage(Client& client, const Call& call, v1::ModelStage stage, std::uint32_t permyriad = 0) {
    const auto version = version_of(call);
    if (!version) {
        return Exit::bad_input;
    }
    v1::StageModelRequest request;
    request.set_slot(call.get("SLOT"));
    request.set_name(call.get("NAME"));
    request.set_version(*version);
    request.set_stage(stage);
    request.set_canary_permyriad(permyriad);
    request.set_override_bar(call.has("override"));
    if (request.override_bar()) {
        if (const auto said = confirm(call, "let a version act that a guardrail rolled back")) {
            return *said;
        }
    }
    v1::ActivateModelReply reply;
    const auto context = client.context();
    if (const auto status = client.stub().StageModel(context.get(), request, &reply);
        !status.ok()) {
        return client.report_status(call, status);
    }
    if (call.json) {
        return print_activation(call, reply, request.slot());
    }
    warn(reply.warnings());
    std::printf(
        "%s: %s is now %s (generation %llu)\n",
        request.slot().c_str(),
        label(reply.to()).c_str(),
        stage_text(reply.to()).c_str(),
        static_cast<unsigned long long>(reply.generation()));
    return Exit::ok;
}

std::string share(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) {
        return "-";
    }
    char text[32];
    (void)std::snprintf(
        text,
        sizeof(text),
        "%.3g %%",
        100.0 * static_cast<double>(part) / static_cast<double>(whole));
    return text;
}

std::string class_or_none(const std::string& name) {
    return name.empty() ? "(undecided)" : name;
}

std::string pairs_text(const v1::Trial& trial) {
    TextTable table;
    table.row({"ACTIVE SAYS", "TRIAL SAYS", "ROWS", "SHARE"});
    int shown = 0;
    for (const auto& pair : trial.pairs()) {
        if (pair.active_class() == pair.trial_class() || ++shown > kPairsShown) {
            continue;
        }
        table.row(
            {class_or_none(pair.active_class()),
             class_or_none(pair.trial_class()),
             std::to_string(pair.rows()),
             share(pair.rows(), trial.rows())});
    }
    return table.empty() ? "no disagreement\n" : table.text();
}

}  // namespace

Exit run_models_shadow(Client& client, const Call& call) {
    return stage(client, call, v1::MODEL_STAGE_SHADOW);
}

Exit run_models_withdraw(Client& client, const Call& call) {
    return stage(client, call, v1::MODEL_STAGE_VERIFIED);
}

Exit run_models_canary(Client& client, const Call& call) {
    std::string text = call.get("PERCENT");
    if (!text.empty() && text.back() == '%') {
        text.pop_back();
    }
    char* end = nullptr;
    const double percent = std::strtod(text.c_str(), &end);
    const auto permyriad = std::lround(percent * 100.0);
    if (end == text.c_str() || *end != '\0' || !(percent <= 100.0) || permyriad < 1) {
        return report(
            call,
            "INVALID_ARGUMENT",
            "PERCENT: '" + call.get("PERCENT") + "' is not within 0.01 to 100; fix: for instance 5",
            Exit::bad_input);
    }
    return stage(client, call, v1::MODEL_STAGE_CANARY, static_cast<std::uint32_t>(permyriad));
}

Exit run_models_trials(Client& client, const Call& call) {
    v1::Status status;
    const auto context = client.context();
    if (const auto got = client.stub().GetStatus(context.get(), {}, &status); !got.ok()) {
        return client.report_status(call, got);
    }
    if (call.has("slot")) {
        auto& slots = *status.mutable_slots();
        slots.erase(
            std::remove_if(
                slots.begin(),
                slots.end(),
                [&](const v1::Slot& s) { return s.name() != call.get("slot"); }),
            slots.end());
        if (slots.empty()) {
            return report(
                call,
                "NOT_FOUND",
                "--slot: '" + call.get("slot") + "' is not configured; fix: see `weirctl status`",
                Exit::bad_input);
        }
    }
    if (call.json) {
        v1::Status only;
        only.mutable_slots()->Swap(status.mutable_slots());
        std::printf("%s\n", to_json(only)["slots"].dump(2).c_str());
        return Exit::ok;
    }
    bool any = false;
    for (const auto& slot : status.slots()) {
        for (const auto& trial : slot.trials()) {
            any = true;
            std::printf(
                "%s: %s, %s, against %s\n  rows %llu, disagrees %s, alarms %s, drops %s, "
                "saturated %s",
                slot.name().c_str(),
                label(trial.model()).c_str(),
                stage_text(trial.model()).c_str(),
                slot.has_active() ? label(slot.active()).c_str() : "no model",
                static_cast<unsigned long long>(trial.rows()),
                share(trial.disagreements(), trial.rows()).c_str(),
                share(trial.alarms(), trial.rows()).c_str(),
                share(trial.drops(), trial.rows()).c_str(),
                share(trial.saturated(), trial.rows()).c_str());
            if (trial.packets() != 0) {
                std::printf(
                    "\n  acted on %llu packets, dropped %s",
                    static_cast<unsigned long long>(trial.packets()),
                    share(trial.packets_dropped(), trial.packets()).c_str());
            }
            std::printf("\n%s", pairs_text(trial).c_str());
        }
        if (!slot.last_breach().empty()) {
            std::printf("%s: last breach: %s\n", slot.name().c_str(), slot.last_breach().c_str());
        }
    }
    if (!any) {
        std::puts("no model is on trial");
    }
    return Exit::ok;
}

Exit run_whoami(Client& client, const Call& call) {
    v1::WhoAmIReply reply;
    const auto context = client.context();
    if (const auto status = client.stub().WhoAmI(context.get(), {}, &reply); !status.ok()) {
        return client.report_status(call, status);
    }
    if (call.json) {
        print_json(reply);
    } else {
        std::printf(
            "%s, by %s: %s\n", reply.role().c_str(), reply.via().c_str(), reply.name().c_str());
    }
    return Exit::ok;
}

}  // namespace weir::ctl

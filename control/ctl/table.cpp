// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/commands.h"

#include <array>

namespace weir::ctl {

std::span<const OptionSpec> global_options() {
    static constexpr std::array<OptionSpec, 3> kOptions{{
        {"--socket",
         "PATH",
         "Control socket of the gateway; else $WEIR_SOCKET, else /run/weir/control.sock"},
        {"--timeout", "SECONDS", "Give up on a call after this time (1 to 3600)", "30"},
        {"--json", "", "Print JSON instead of text, errors included"},
    }};
    return kOptions;
}

std::span<const CommandSpec> commands() {
    static const std::array<CommandSpec, 9> kCommands{{
        {"status",
         "Show packets, drops, models and workers",
         "Shows what the gateway has done since it started: packets in, out and dropped by reason, "
         "each slot's model "
         "and verdicts, each worker.",
         {},
         {},
         run_status},
        {"ports",
         "Show ports with link state and counters",
         "Shows each port's link, speed, MTU, peer and packet counters.",
         {},
         {},
         run_ports},
        {"top",
         "Live rates of packets, verdicts and workers",
         "Shows rates, anew every interval, until interrupted. With --json one object a line.",
         {},
         {{"--interval", "SECONDS", "Time between two displays (0.1 to 60)", "1"},
          {"--once", "", "Measure one interval, print it and end"}},
         run_top},
        {"models list",
         "List the models that the gateway holds",
         "Lists stored and built-in models by slot, newest version first.",
         {},
         {{"--slot", "SLOT", "Only this slot's"}},
         run_models_list},
        {"models push",
         "Send a model bundle to the gateway",
         "Sends a signed bundle. The gateway verifies it (signature, version, features, shapes, "
         "golden vectors) and "
         "stores it; workers are not touched unless --activate is given. A bundle that fails any "
         "check is refused "
         "with the field named, and nothing changes.",
         {{"FILE", "The bundle"}},
         {{"--slot", "SLOT", "Refuse the bundle if it is made for another slot"},
          {"--activate", "", "Swap it in once it is verified"},
          {"--allow-older",
           "",
           "Accept a version below the highest seen of this name (noted in the audit log)"}},
         run_models_push},
        {"models activate",
         "Swap a stored model in",
         "Verifies the model once more and swaps it in while packets flow. No packet is lost, and "
         "none is scored by "
         "two models within a burst.",
         {{"SLOT", "The slot"},
          {"NAME", "The model's name"},
          {"VERSION", "Its version; the newest if left out", false}},
         {},
         run_models_activate},
        {"models rollback",
         "Go back to the model that was active before",
         "Swaps the slot's previous model in. Repeated, goes back further.",
         {{"SLOT", "The slot"}},
         {},
         run_models_rollback},
        {"models remove",
         "Delete a stored model that is not active",
         "Deletes the bundle from the gateway's state directory.",
         {{"SLOT", "The slot"}, {"NAME", "The model's name"}, {"VERSION", "Its version"}},
         {},
         run_models_remove},
        {"reload",
         "Read the configuration file again",
         "Applies what can change while packets flow (rules, cadence, hysteresis, fail policies, "
         "models, never_remark, "
         "log level) and names what needs a restart. An invalid file is refused whole.",
         {},
         {},
         run_reload},
    }};
    return kCommands;
}

}  // namespace weir::ctl

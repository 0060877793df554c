// SPDX-License-Identifier: BSD-3-Clause
// weirctl's command table: the parser, --help, the man page and the dispatch are made from it.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::ctl {

/// What the shell gets to know.
enum class Exit : int {
    ok = 0,
    failed = 1,    ///< the gateway refused, or cannot be reached
    bad_input = 2  ///< usage, a file, a name or a bundle that is not what it should be
};

struct OptionSpec {
    std::string_view name;   ///< "--slot"
    std::string_view value;  ///< "SLOT"; empty: a flag
    std::string_view help;
    std::string_view fallback{};  ///< shown as the default, and used as such
};

struct ArgumentSpec {
    std::string_view name;  ///< "FILE"
    std::string_view help;
    bool required = true;
};

/// What a command was called with: options by name without dashes, arguments by name. Flags: "1" if given.
struct Call {
    std::map<std::string, std::string, std::less<>> values;
    bool json = false;

    [[nodiscard]] std::string get(std::string_view name) const {
        const auto at = values.find(name);
        return at == values.end() ? std::string() : at->second;
    }
    [[nodiscard]] bool has(std::string_view name) const { return !get(name).empty(); }
};

class Client;

struct CommandSpec {
    std::string_view path;  ///< "models push"
    std::string_view summary;
    std::string_view description;
    std::vector<ArgumentSpec> arguments;
    std::vector<OptionSpec> options;
    Exit (*run)(Client& client, const Call& call);
};

/// In the order of help and man page.
[[nodiscard]] std::span<const CommandSpec> commands();
/// Options of every command.
[[nodiscard]] std::span<const OptionSpec> global_options();

/// docs/man/weirctl.1, whole.
[[nodiscard]] std::string man_page();

/// The script that completes commands, options and stages; empty for an unknown shell.
[[nodiscard]] std::string completion_script(std::string_view shell);

/// All of weirctl. Prints to stdout and stderr.
[[nodiscard]] Exit run_weirctl(int argc, const char* const* argv);

Exit run_status(Client& client, const Call& call);
Exit run_ports(Client& client, const Call& call);
Exit run_top(Client& client, const Call& call);
Exit run_tail(Client& client, const Call& call);
Exit run_flows(Client& client, const Call& call);
Exit run_explain(Client& client, const Call& call);
Exit run_block(Client& client, const Call& call);
Exit run_allow(Client& client, const Call& call);
Exit run_unblock(Client& client, const Call& call);
Exit run_overrides(Client& client, const Call& call);
Exit run_models_list(Client& client, const Call& call);
Exit run_models_push(Client& client, const Call& call);
Exit run_models_activate(Client& client, const Call& call);
Exit run_models_rollback(Client& client, const Call& call);
Exit run_models_remove(Client& client, const Call& call);
Exit run_models_shadow(Client& client, const Call& call);
Exit run_models_canary(Client& client, const Call& call);
Exit run_models_withdraw(Client& client, const Call& call);
Exit run_models_trials(Client& client, const Call& call);
Exit run_policy_list(Client& client, const Call& call);
Exit run_policy_set(Client& client, const Call& call);
Exit run_policy_reset(Client& client, const Call& call);
Exit run_audit_verify(Client& client, const Call& call);
Exit run_whoami(Client& client, const Call& call);
Exit run_completion(Client& client, const Call& call);
Exit run_reload(Client& client, const Call& call);

}  // namespace weir::ctl

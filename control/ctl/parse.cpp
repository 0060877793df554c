// SPDX-License-Identifier: BSD-3-Clause
// The command line, by the table.
#include "control/ctl/client.h"
#include "control/ctl/commands.h"
#include "control/ctl/usage.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

#include <CLI/CLI.hpp>

namespace weir::ctl {

namespace {

void add_option(CLI::App& app, const OptionSpec& spec, Call& call) {
    const std::string key(spec.name.substr(2));
    std::string help(spec.help);
    if (spec.value.empty()) {
        app.add_flag_callback(
            std::string(spec.name), [&call, key] { call.values[key] = "1"; }, help);
        return;
    }
    if (!spec.fallback.empty()) {
        help.append(" [").append(spec.fallback).append("]");
    }
    app.add_option_function<std::string>(
           std::string(spec.name),
           [&call, key](const std::string& value) { call.values[key] = value; },
           help)
        ->type_name(std::string(spec.value));
}

/// Of the options that were not given.
void add_defaults(std::span<const OptionSpec> options, Call& call) {
    for (const OptionSpec& option : options) {
        if (!option.fallback.empty()) {
            call.values.emplace(option.name.substr(2), option.fallback);
        }
    }
}

const char* group_summary(std::string_view word) {
    return word == "models"   ? "Model bundles: list, push, try, activate, roll back, remove"
           : word == "policy" ? "What each class leads to: list, set, reset"
                              : "The audit log: verify";
}

/// "models push" → subcommand push of subcommand models, made where missing.
CLI::App* subcommand(CLI::App& root, std::string_view path) {
    CLI::App* app = &root;
    while (!path.empty()) {
        const auto space = path.find(' ');
        const std::string word(path.substr(0, space));
        path = space == std::string_view::npos ? std::string_view() : path.substr(space + 1);
        const auto named =
            app->get_subcommands([&word](CLI::App* sub) { return sub->get_name() == word; });
        CLI::App* next = named.empty() ? nullptr : named.front();
        if (!next) {
            next = app->add_subcommand(word, path.empty() ? "" : group_summary(word));
            next->require_subcommand(path.empty() ? 0 : 1);
            next->fallthrough();
        }
        app = next;
    }
    return app;
}

void add_command(CLI::App& root, const CommandSpec& spec, Call& call, const CommandSpec*& chosen) {
    CLI::App* app = subcommand(root, spec.path);
    app->description(std::string(spec.summary));
    app->footer(std::string(spec.description));
    for (const auto& argument : spec.arguments) {
        const std::string key(argument.name);
        auto* option = app->add_option_function<std::string>(
            key,
            [&call, key](const std::string& value) { call.values[key] = value; },
            std::string(argument.help));
        option->required(argument.required)->type_name("");
    }
    for (const auto& option : spec.options) {
        add_option(*app, option, call);
    }
    app->callback([&chosen, &spec] { chosen = &spec; });
}

std::optional<double> timeout_of(const Call& call) {
    const std::string text = call.get("timeout");
    char* end = nullptr;
    const double seconds = std::strtod(text.c_str(), &end);
    const bool good = end != text.c_str() && *end == '\0' && seconds >= 1.0 && seconds <= 3600.0;
    return good ? std::optional(seconds) : std::nullopt;
}

Socket socket_of(const Call& call) {
    if (call.has("socket")) {
        return {call.get("socket"), "by --socket"};
    }
    const char* environment = std::getenv("WEIR_SOCKET");
    if (environment != nullptr && *environment != '\0') {
        return {environment, "by $WEIR_SOCKET"};
    }
    return {"/run/weir/control.sock", "the default: neither --socket nor $WEIR_SOCKET is given"};
}

/// The files of --target's options, read; none, and reported, if one cannot be.
std::optional<Target> target_of(const Call& call) {
    Target target;
    target.address = call.get("target");
    if (target.address.empty()) {
        return target;
    }
    const std::array<std::pair<const char*, std::string*>, 3> files{
        {{"cert", &target.certificate}, {"key", &target.key}, {"ca", &target.ca}}};
    for (const auto& [name, text] : files) {
        std::ifstream file(call.get(name), std::ios::binary);
        text->assign(std::istreambuf_iterator<char>(file), {});
        if (!file || text->empty()) {
            (void)report(
                call,
                "USAGE",
                std::string("--") + name + ": '" + call.get(name) +
                    "' cannot be read; fix: --target needs --cert, --key and --ca, PEM files",
                Exit::bad_input);
            return std::nullopt;
        }
    }
    return target;
}

/// Buffered output that the disk or the pipe refuses is a failure, too.
Exit flushed(Exit exit) {
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
        return exit;
    }
    // What was printed is lost already: nothing more goes to stdout.
    std::fprintf(stderr, "weirctl: standard output: %s\n", std::strerror(errno));
    return Exit::failed;
}

}  // namespace

Exit run_weirctl(int argc, const char* const* argv) {
    Call call;
    const CommandSpec* chosen = nullptr;
    CLI::App app("Talks to a running weir gateway over its control socket.", "weirctl");
    app.require_subcommand(1);
    app.set_version_flag("--version", WEIR_VERSION);
    app.get_formatter()->column_width(34);
    for (const auto& option : global_options()) {
        add_option(app, option, call);
    }
    for (const auto& command : commands()) {
        add_command(app, command, call, chosen);
    }
    const std::vector<std::string_view> words(argv + std::min(argc, 1), argv + argc);
    call.json = std::find(words.begin(), words.end(), "--json") != words.end();
    if (const auto error = usage_error(words)) {
        return report(call, "USAGE", *error, Exit::bad_input);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& help) {  // or the version
        (void)app.exit(help);
        return flushed(Exit::ok);
    } catch (const CLI::ParseError& e) {
        return report(call, "USAGE", e.what(), Exit::bad_input);
    }
    add_defaults(global_options(), call);
    add_defaults(chosen->options, call);  // another command's may differ
    call.json = call.has("json");
    const auto timeout = timeout_of(call);
    if (!timeout) {
        return report(
            call,
            "USAGE",
            "--timeout: '" + call.get("timeout") + "' is not within 1 to 3600 seconds",
            Exit::bad_input);
    }
    Socket socket = socket_of(call);
    if (socket.path.size() >= sizeof(sockaddr_un{}.sun_path)) {
        return report(
            call,
            "USAGE",
            "socket " + socket.path + " (" + socket.chosen + "): is too long for a socket's path",
            Exit::bad_input);
    }
    auto target = target_of(call);
    if (!target) {
        return Exit::bad_input;
    }
    Client client(std::move(socket), std::move(*target), *timeout);
    return flushed(chosen->run(client, call));
}

}  // namespace weir::ctl

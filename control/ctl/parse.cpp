// SPDX-License-Identifier: BSD-3-Clause
// The command line, by the table.
#include "control/ctl/client.h"
#include "control/ctl/commands.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

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
        call.values.emplace(key, spec.fallback);
    }
    app.add_option_function<std::string>(
           std::string(spec.name),
           [&call, key](const std::string& value) { call.values[key] = value; },
           help)
        ->type_name(std::string(spec.value));
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
            next = app->add_subcommand(
                word, path.empty() ? "" : "Model bundles: list, push, activate, roll back, remove");
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
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        // Help and version come this way, too, with exit code 0.
        return app.exit(e) == 0 ? Exit::ok : Exit::bad_input;
    }
    call.json = call.has("json");
    char* end = nullptr;
    const std::string timeout = call.get("timeout");
    const double seconds = std::strtod(timeout.c_str(), &end);
    if (*end != '\0' || !(seconds >= 1.0 && seconds <= 3600.0)) {
        return report(
            call,
            "usage",
            "--timeout: '" + timeout + "' is not within 1 to 3600 seconds",
            Exit::bad_input);
    }
    const char* environment = std::getenv("WEIR_SOCKET");
    const bool from_environment = environment != nullptr && *environment != '\0';
    const std::string socket = call.has("socket") ? call.get("socket")
                               : from_environment ? environment
                                                  : "/run/weir/control.sock";
    Client client(socket, seconds);
    return chosen->run(client, call);
}

}  // namespace weir::ctl

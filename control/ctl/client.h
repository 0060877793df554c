// SPDX-License-Identifier: BSD-3-Clause
// One connection to a gateway, and how its refusals are told.
#pragma once

#include "control/ctl/commands.h"
#include "control/proto/control.grpc.pb.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

namespace weir::ctl {

namespace v1 = control::v1;

/// Where the gateway is to be found, and who said so, for messages.
struct Socket {
    std::string path;
    std::string chosen;  ///< "by --socket"
};

/// The same over TLS; `address` empty: by socket.
struct Target {
    std::string address;  ///< host:port
    std::string certificate;
    std::string key;
    std::string ca;  ///< PEM texts, not paths
};

class Client {
  public:
    Client(Socket socket, Target target, double timeout_seconds);

    /// A context with the deadline of --timeout, `more_seconds` later where the call takes its time by itself.
    [[nodiscard]] std::unique_ptr<grpc::ClientContext> context(double more_seconds = 0.0) const;
    /// One without: for streams that go on.
    [[nodiscard]] static std::unique_ptr<grpc::ClientContext> endless_context();
    [[nodiscard]] v1::Control::Stub& stub() { return *stub_; }

    /// Tells why a call failed and gives the exit code.
    [[nodiscard]] Exit report_status(const Call& call, const grpc::Status& status) const;

  private:
    /// "socket /run/weir/control.sock" or "target host:port"
    [[nodiscard]] std::string place() const;

    Socket socket_;
    Target target_;
    std::chrono::duration<double> timeout_;
    std::unique_ptr<v1::Control::Stub> stub_;
};

/// "weirctl: <message>" on stderr; with --json {"ok":false,"error":{"code","message"}} on stdout, too.
Exit report(const Call& call, const std::string& code, const std::string& message, Exit exit);

/// None: go on. Asks on a terminal whether `what` is meant; without one, or if it is not, the exit code. With --yes
/// nobody is asked.
[[nodiscard]] std::optional<Exit> confirm(const Call& call, const std::string& what);

/// Reads VERSION: a number from 1; 0 where it is left out. None: it is no number, and that was reported.
[[nodiscard]] std::optional<std::uint32_t> version_of(const Call& call);

template <typename Lines>
void warn(const Lines& lines) {
    for (const auto& line : lines) {
        std::fprintf(stderr, "weirctl: warning: %s\n", line.c_str());
    }
}

/// "shadow", "canary 5 %", …
[[nodiscard]] std::string stage_text(const v1::Model& model);
/// "name@version"
[[nodiscard]] std::string label(const v1::Model& model);
/// The answer to whatever moved a model.
Exit print_activation(
    const Call& call, const v1::ActivateModelReply& reply, const std::string& slot);

/// A table; empty where there are none.
[[nodiscard]] std::string overrides_text(
    const google::protobuf::RepeatedPtrField<v1::Override>& overrides);

/// A message as JSON: fields by their .proto names, defaults included, numbers as numbers; null: optional and unset.
[[nodiscard]] nlohmann::ordered_json to_json(const google::protobuf::Message& message);
void print_json(const google::protobuf::Message& message);

}  // namespace weir::ctl

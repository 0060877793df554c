// SPDX-License-Identifier: BSD-3-Clause
// One connection to a gateway, and how its refusals are told.
#pragma once

#include "control/ctl/commands.h"
#include "control/proto/control.grpc.pb.h"

#include <chrono>
#include <memory>
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

class Client {
  public:
    Client(Socket socket, double timeout_seconds);

    /// A context with the deadline of --timeout, `more_seconds` later where the call takes its time by itself.
    [[nodiscard]] std::unique_ptr<grpc::ClientContext> context(double more_seconds = 0.0) const;
    /// One without: for streams that go on.
    [[nodiscard]] static std::unique_ptr<grpc::ClientContext> endless_context();
    [[nodiscard]] v1::Control::Stub& stub() { return *stub_; }

    /// Tells why a call failed and gives the exit code.
    [[nodiscard]] Exit report_status(const Call& call, const grpc::Status& status) const;

  private:
    Socket socket_;
    std::chrono::duration<double> timeout_;
    std::unique_ptr<v1::Control::Stub> stub_;
};

/// "weirctl: <message>" on stderr; with --json {"ok":false,"error":{"code","message"}} on stdout, too.
Exit report(const Call& call, const std::string& code, const std::string& message, Exit exit);

/// A message as JSON: fields by their .proto names, defaults included, numbers as numbers.
[[nodiscard]] nlohmann::ordered_json to_json(const google::protobuf::Message& message);
void print_json(const google::protobuf::Message& message);

}  // namespace weir::ctl

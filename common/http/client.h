#pragma once

#include <asio/awaitable.hpp>
#include <variant>

#include "http/messages.h"

namespace rocket::http {

// Calls a server with libcurl. The calling coroutine's executor must be single-threaded; all calls of one
// executor share its connections, which stay open, with HTTP/2 where the server offers it. Hundreds may be
// under way at once, none blocks the thread. Redirects are not followed, answers beyond 1 MiB are silence.
//
// The variables https_proxy, all_proxy and no_proxy hold, as for curl: https goes through a proxy by CONNECT
// only, so that the proxy sees no more than the host. This machine is never reached through a proxy.
//
// libcurl itself sends a call once more when a connection that was kept open turns out to be dead: only for
// calls that may be repeated.
asio::awaitable<std::variant<Answer, Silence>> send(Call call);

}  // namespace rocket::http

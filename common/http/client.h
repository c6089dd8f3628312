#pragma once

#include <asio/awaitable.hpp>
#include <variant>

#include "rocket/http/messages.h"

namespace rocket::http {

// Calls a server with libcurl. The calling coroutine's executor must be single-threaded. All calls of one
// executor share its connections, which stay open and use HTTP/2 where the server offers it. Hundreds of
// calls may be under way at once; none blocks the thread. Redirects are not followed. An answer with a body
// of more than 1 MiB counts as Silence.
//
// The environment variables https_proxy, all_proxy and no_proxy apply, as for curl. https goes through a
// proxy by CONNECT only, so that the proxy sees no more than the host. This machine is never reached through
// a proxy.
//
// Use it only for calls that may be repeated: libcurl itself sends a call once more when a connection that
// was kept open turns out to be dead.
asio::awaitable<std::variant<Answer, Silence>> send(Call call);

}  // namespace rocket::http

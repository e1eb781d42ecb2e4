/*
 * finish.c: the end of a hop: another one, or the end of the transfer.
 *
 * Redirects are followed here and not by libcurl, so that each target passes the same gates as the first URL: its
 * spelling, its scheme, the policy. Once a redirect has led to another origin, credentials and secrets are not sent
 * any more, nor when a later one leads back: whoever was in between chose that URL.
 */
#include "net/internal.h"

#include "utils/memutils.h"

/* libcurl's code for a header that is too large for it; it has no name before 8.6. */
#define WF_CURLE_TOO_LARGE 100

/* -- what is known of a hop -- */

static int64
info_time(CURL *easy, CURLINFO which)
{
	curl_off_t	us = 0;

	return curl_easy_getinfo(easy, which, &us) == CURLE_OK ? (int64) us : 0;
}

static long
info_long(CURL *easy, CURLINFO which)
{
	long		value = 0;

	return curl_easy_getinfo(easy, which, &value) == CURLE_OK ? value : 0;
}

/*
 * Whether a request went out is not asked of libcurl's times: newer ones set those of a transfer that never had a connection,
 * too, when it fails.
 */
static void
note_hop(WfNetTransfer *t)
{
	CURL	   *easy = t->easy;
	int64		named = info_time(easy, CURLINFO_NAMELOOKUP_TIME_T);
	int64		connected = info_time(easy, CURLINFO_CONNECT_TIME_T);
	int64		secured = info_time(easy, CURLINFO_APPCONNECT_TIME_T);
	long		version = info_long(easy, CURLINFO_HTTP_VERSION);
	char	   *address = NULL;

	t->status = (int) info_long(easy, CURLINFO_RESPONSE_CODE);
	t->connection_was_new = t->n_opened > 0;
	t->dns_us = t->connection_was_new ? named : 0;
	t->connect_us = t->connection_was_new && connected > named ? connected - named : 0;
	t->tls_us = t->connection_was_new && secured > connected ? secured - connected : 0;
	t->first_byte_us = t->request_begun && t->status > 0 ? info_time(easy, CURLINFO_STARTTRANSFER_TIME_T) : 0;
	t->bytes_sent += info_long(easy, CURLINFO_REQUEST_SIZE) + (t->request.kind == WF_NET_MAIL ? t->uploaded_bytes : 0);
	t->bytes_received += info_long(easy, CURLINFO_HEADER_SIZE) + info_time(easy, CURLINFO_SIZE_DOWNLOAD_T);
	t->was_sent |= t->request_begun;
	t->http_version = version == CURL_HTTP_VERSION_1_0 ? 10 : version == CURL_HTTP_VERSION_1_1 ? 11 :
		version == CURL_HTTP_VERSION_2_0 ? 20 : 0;
	if (t->http_version == 20)
		wf_net_partition_multiplexed(t);
	if ((connected > 0 || t->request_begun) && curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address != NULL)
	{
		strlcpy(t->remote_address, address, sizeof(t->remote_address));
		t->remote_port = (int) info_long(easy, CURLINFO_PRIMARY_PORT);
	}
	else
	{
		t->remote_address[0] = '\0';
		t->remote_port = 0;
	}
}

/* -- the end of a transfer -- */

/* The transfer has ended; message (NULL: answered) is copied. Its hop, if one is on, is dropped. */
void
wf_net_finish(WfNetTransfer *t, WfNetOutcome outcome, const char *message)
{
	Assert((outcome == WF_NET_ANSWERED) == (message == NULL));
	wf_net_hop_drop(t);
	t->outcome = outcome;
	t->message = message == NULL ? NULL : MemoryContextStrdup(t->memory, message);
	t->total_us = t->begun_us == 0 ? 0 : wf_net_now_us() - t->begun_us;
	if (t->state == WF_NET_WAITING)
		dlist_delete(&t->node);
	t->state = WF_NET_FINISHED;
	wf_net_partition_left(t);
	dlist_push_tail(&t->net->finished, &t->node);
}

/* libcurl's code as one of ours. */
static WfNetOutcome
outcome_of(const WfNetTransfer *t, CURLcode code)
{
	if ((int) code == WF_CURLE_TOO_LARGE)
		return WF_NET_TOO_LARGE;
	switch (code)
	{
		case CURLE_URL_MALFORMAT:
			return t->was_sent ? WF_NET_BROKEN : WF_NET_INVALID;
		case CURLE_COULDNT_RESOLVE_HOST:
			return WF_NET_UNRESOLVED;
		case CURLE_COULDNT_CONNECT:
			return t->n_blocked > 0 && t->n_opened == 0 ? WF_NET_BLOCKED :
				t->no_descriptor ? WF_NET_OVERLOADED : WF_NET_UNREACHABLE;
		case CURLE_OPERATION_TIMEDOUT:
			return WF_NET_TIMED_OUT;
		case CURLE_OUT_OF_MEMORY:
			/* So says libcurl before 8.6 of a header that is too large for it. */
			return t->was_sent && !t->body_begun ? WF_NET_TOO_LARGE : WF_NET_OVERLOADED;
		case CURLE_FAILED_INIT:
			return WF_NET_OVERLOADED;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_CLIENTCERT:
		case CURLE_USE_SSL_FAILED:
			return WF_NET_TLS_FAILED;
		case CURLE_BAD_FUNCTION_ARGUMENT:
			/* So says libcurl of a client's key that OpenSSL refuses, as it does one that is not the certificate's. */
			return t->request.client_cert_pem != NULL && !t->request_begun ? WF_NET_TLS_FAILED : WF_NET_BROKEN;
		case CURLE_LOGIN_DENIED:
			return t->request.kind == WF_NET_MAIL ? WF_NET_REFUSED : WF_NET_BROKEN;
		default:
			return t->request.kind == WF_NET_MAIL && t->status >= 400 ? WF_NET_REFUSED : WF_NET_BROKEN;
	}
}

/* The last line of a mail server, fit for a message. */
static char *
server_line(const WfNetTransfer *t)
{
	char	   *line = t->head_bytes == 0 ? pstrdup("") : pnstrdup(t->head, Min(t->head_bytes, 200));
	size_t		bytes = strlen(line);

	while (bytes > 0 && (line[bytes - 1] == '\r' || line[bytes - 1] == '\n' || line[bytes - 1] == ' '))
		line[--bytes] = '\0';
	for (char *c = line; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return line;
}

/* What libcurl says; a little text of its own, which may quote what a server sent, fit for a message. */
static char *
curl_says(const WfNetTransfer *t, CURLcode code)
{
	char	   *text = pstrdup(t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(code));

	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return text;
}

static char *
failure_message(const WfNetTransfer *t, WfNetOutcome outcome, CURLcode code)
{
	switch (outcome)
	{
		case WF_NET_BLOCKED:
			return psprintf("requests to \"%s\" are forbidden: %s", t->host, t->rule);
		case WF_NET_UNRESOLVED:
			return psprintf("could not resolve the host \"%s\"", t->host);
		case WF_NET_UNREACHABLE:
			return psprintf("could not connect to \"%s\", port %d", t->host, t->port);
		case WF_NET_TLS_FAILED:
			return psprintf("could not secure the connection to \"%s\": %s", t->host, curl_says(t, code));
		case WF_NET_TIMED_OUT:
			if (!t->request_begun && (wf_net_now_us() - t->begun_us) / 1000 < t->request.total_timeout_ms)
				return psprintf("no connection to \"%s\" within %d ms", t->host, t->request.connect_timeout_ms);
			if ((wf_net_now_us() - t->begun_us) / 1000 < t->request.total_timeout_ms)
				return psprintf("fewer than %d bytes a second for %d ms", t->request.low_speed_bytes, t->request.low_speed_ms);
			return psprintf("no answer within %d ms", t->request.total_timeout_ms);
		case WF_NET_TOO_LARGE:
			return pstrdup("a header of the answer is too large");
		case WF_NET_REFUSED:
			return psprintf("the mail server refused: %s", server_line(t));
		case WF_NET_OVERLOADED:
			return pstrdup(t->no_descriptor ? "no descriptors are left for a connection" : curl_easy_strerror(code));
		default:
			return psprintf("the connection to \"%s\" broke: %s", t->host, curl_says(t, code));
	}
}

/* -- redirects -- */

static bool
same_origin(const WfNetTransfer *t, const WfNetUrl *url, bool is_tls)
{
	return t->port == url->port && t->is_tls == is_tls && strcmp(t->host, url->host) == 0;
}

/* The method of the next hop, as browsers have it; may take the body away. */
static void
change_method(WfNetTransfer *t)
{
	if (t->status == 307 || t->status == 308 || strcmp(t->method, "HEAD") == 0)
		return;
	if (t->status == 303 || strcmp(t->method, "POST") == 0)
	{
		t->method = "GET";
		t->has_body = false;
	}
}

/* Follows the redirect, or finishes. In the transfer's memory context. */
static void
follow(WfNetTransfer *t)
{
	const char *location;
	size_t		bytes;
	WfNetUrl	url;
	char	   *problem;
	bool		is_tls;

	if (!wf_net_head_find(t, "location", &location, &bytes))
	{
		wf_net_finish(t, WF_NET_BROKEN, "the redirect has no location");
		return;
	}
	if (t->redirects >= t->request.max_redirects)
	{
		wf_net_finish(t, WF_NET_REDIRECT_REFUSED, psprintf("there are more than %d redirects", t->request.max_redirects));
		return;
	}
	if (memchr(location, '\0', bytes) != NULL ||
		!wf_net_url_parse(pnstrdup(location, bytes), t->url, WF_NET_HTTP, &url, &problem))
	{
		wf_net_finish(t, WF_NET_REDIRECT_REFUSED, "the redirect leads to a URL that is malformed or neither http nor https");
		return;
	}
	is_tls = strcmp(url.scheme, "https") == 0;
	if (t->is_tls && !is_tls && !t->request.allow_downgrade)
	{
		wf_net_finish(t, WF_NET_REDIRECT_REFUSED, "the redirect leads from https to http");
		return;
	}
	t->is_origin = t->is_origin && same_origin(t, &url, is_tls);
	change_method(t);
	if (t->has_body && !t->is_origin && t->request.body_is_secret)
	{
		wf_net_finish(t, WF_NET_REDIRECT_REFUSED, "the redirect would give a secret body to another host");
		return;
	}
	t->redirects++;
	t->url = url.text;
	t->host = url.host;
	t->port = url.port;
	t->is_tls = is_tls;
	wf_net_hop_start(t);
}

/* libcurl is done with the hop. */
void
wf_net_hop_done(WfNetTransfer *t, CURLcode code)
{
	MemoryContext old = MemoryContextSwitchTo(t->memory);
	WfNetOutcome outcome;

	note_hop(t);
	if (t->is_redirect && !t->stopped && (code == CURLE_OK || t->discarded_bytes > WF_NET_DISCARD_BYTES))
	{
		wf_net_hop_drop(t);
		follow(t);
	}
	else if (t->stopped)
		wf_net_finish(t, t->stop_outcome, t->stop_why);
	else if (code == CURLE_OK)
		wf_net_finish(t, WF_NET_ANSWERED, NULL);
	else
	{
		outcome = outcome_of(t, code);
		wf_net_finish(t, outcome, failure_message(t, outcome, code));
	}
	MemoryContextSwitchTo(old);
}

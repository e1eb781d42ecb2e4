/*
 * hop.c: one hop of a transfer: its options, into the CURLM of its partition and out of it.
 *
 * Handles are used again within a partition; curl_easy_reset clears every option, so all of them are set here, each time.
 * Of the environment nothing is used: no proxies, no netrc, no signals. Certificates are verified always; there is no
 * switch.
 */
#include "net/internal.h"

#include <arpa/inet.h>

#define USER_AGENT "workflow"

/* Sets an option unless one before could not be set. */
#define SET(option, value) \
	do { \
		if (code == CURLE_OK) \
			code = curl_easy_setopt(easy, option, value); \
	} while (0)

/* What all requests have. */
static CURLcode
set_common(WfNetTransfer *t, long total_ms)
{
	const WfNetRequest *r = &t->request;
	CURL	   *easy = t->easy;
	CURLcode	code = CURLE_OK;

	SET(CURLOPT_PRIVATE, t);
	SET(CURLOPT_ERRORBUFFER, t->curl_error);
	SET(CURLOPT_URL, t->url);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, r->kind == WF_NET_MAIL ? "smtp,smtps" : "http,https");
	SET(CURLOPT_NOSIGNAL, 1L);
	/* A look-up that hangs must not hold up whoever gives it up. */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, Min((long) r->connect_timeout_ms, total_ms));
	SET(CURLOPT_TIMEOUT_MS, total_ms);
	if (r->low_speed_bytes > 0)
	{
		SET(CURLOPT_LOW_SPEED_LIMIT, (long) r->low_speed_bytes);
		SET(CURLOPT_LOW_SPEED_TIME, (long) (r->low_speed_ms + 999) / 1000);
	}
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (r->ca_file != NULL)
	{
		SET(CURLOPT_CAINFO, r->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	return code;
}

static CURLcode
set_client_certificate(WfNetTransfer *t)
{
	const WfNetRequest *r = &t->request;
	CURL	   *easy = t->easy;
	CURLcode	code = CURLE_OK;
	struct curl_blob blob = {.flags = CURL_BLOB_COPY};

	if (r->client_cert_pem == NULL || !t->is_origin)
		return code;
	blob.data = unconstify(char *, r->client_cert_pem);
	blob.len = strlen(r->client_cert_pem);
	SET(CURLOPT_SSLCERT_BLOB, &blob);
	SET(CURLOPT_SSLCERTTYPE, "PEM");
	blob.data = unconstify(char *, r->client_key_pem);
	blob.len = strlen(r->client_key_pem);
	SET(CURLOPT_SSLKEY_BLOB, &blob);
	SET(CURLOPT_SSLKEYTYPE, "PEM");
	if (r->client_key_password != NULL)
		SET(CURLOPT_KEYPASSWD, r->client_key_password);
	return code;
}

static CURLcode
set_auth(WfNetTransfer *t)
{
	const WfNetAuth *a = &t->request.auth;
	CURL	   *easy = t->easy;
	CURLcode	code = CURLE_OK;

	if (!t->is_origin || a->type == WF_NET_AUTH_NONE || a->type == WF_NET_AUTH_BEARER)
		return code;
	SET(CURLOPT_USERNAME, a->user);
	SET(CURLOPT_PASSWORD, a->password);
	if (a->type == WF_NET_AUTH_DIGEST)
		SET(CURLOPT_HTTPAUTH, (long) CURLAUTH_DIGEST);
	else if (a->type == WF_NET_AUTH_BASIC)
		SET(CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
	else
		SET(CURLOPT_AWS_SIGV4, psprintf("aws:amz:%s:%s", a->region, a->service));
	return code;
}

/* -- headers -- */

static CURLcode
add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		return CURLE_OUT_OF_MEMORY;
	*list = longer;
	return CURLE_OK;
}

/* Is it sent on this hop? */
static bool
header_applies(const WfNetTransfer *t, const WfNetHeader *header)
{
	if (!t->is_origin && (header->secret || pg_strcasecmp(header->name, "authorization") == 0 ||
						  pg_strcasecmp(header->name, "cookie") == 0))
		return false;
	/* What describes a body that a redirect took away goes with it. */
	return t->has_body || t->redirects == 0 || pg_strncasecmp(header->name, "content-", 8) != 0;
}

static CURLcode
set_headers(WfNetTransfer *t)
{
	const WfNetRequest *r = &t->request;
	CURLcode	code = CURLE_OK;
	bool		has_type = false;
	bool		has_agent = false;

	for (int i = 0; i < r->n_headers && code == CURLE_OK; i++)
	{
		const WfNetHeader *header = &r->headers[i];

		has_type |= pg_strcasecmp(header->name, "content-type") == 0;
		has_agent |= pg_strcasecmp(header->name, "user-agent") == 0;
		if (header_applies(t, header))
			code = add_line(&t->headers, header->value[0] == '\0' ? psprintf("%s;", header->name)
							: psprintf("%s: %s", header->name, header->value));
	}
	if (code == CURLE_OK && r->auth.type == WF_NET_AUTH_BEARER && t->is_origin)
		code = add_line(&t->headers, psprintf("Authorization: Bearer %s", r->auth.token));
	if (code == CURLE_OK && r->auth.type == WF_NET_AUTH_AWS && r->auth.token != NULL && t->is_origin)
		code = add_line(&t->headers, psprintf("X-Amz-Security-Token: %s", r->auth.token));
	/* libcurl would guess a type, and wait a second for permission to send a large body. */
	if (code == CURLE_OK && !has_type)
		code = add_line(&t->headers, "Content-Type:");
	if (code == CURLE_OK)
		code = add_line(&t->headers, "Expect:");
	if (code == CURLE_OK && !has_agent)
		code = curl_easy_setopt(t->easy, CURLOPT_USERAGENT, USER_AGENT);
	if (code == CURLE_OK)
		code = curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return code;
}

/* -- methods -- */

static CURLcode
set_http(WfNetTransfer *t)
{
	const WfNetRequest *r = &t->request;
	CURL	   *easy = t->easy;
	CURLcode	code = CURLE_OK;
	bool		wants_length = strcmp(t->method, "POST") == 0 || strcmp(t->method, "PUT") == 0 ||
		strcmp(t->method, "PATCH") == 0;

	SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
	if (t->is_tls && wf_net_partition_multiplexes(t))
		SET(CURLOPT_PIPEWAIT, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	if (t->has_body || wants_length)
	{
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) (t->has_body ? r->body_bytes : 0));
		SET(CURLOPT_POSTFIELDS, t->has_body ? r->body : "");
		if (strcmp(t->method, "POST") != 0)
			SET(CURLOPT_CUSTOMREQUEST, t->method);
	}
	else if (strcmp(t->method, "HEAD") == 0)
		SET(CURLOPT_NOBODY, 1L);
	else
	{
		SET(CURLOPT_HTTPGET, 1L);
		if (strcmp(t->method, "GET") != 0)
			SET(CURLOPT_CUSTOMREQUEST, t->method);
	}
	if (code == CURLE_OK)
		code = set_headers(t);
	return code;
}

static CURLcode
set_mail(WfNetTransfer *t)
{
	const WfNetRequest *r = &t->request;
	CURL	   *easy = t->easy;
	CURLcode	code = CURLE_OK;
	long		tls = r->starttls == WF_NET_STARTTLS_NEVER ? CURLUSESSL_NONE :
		r->starttls == WF_NET_STARTTLS_REQUIRED || r->auth.type != WF_NET_AUTH_NONE ? CURLUSESSL_ALL : CURLUSESSL_TRY;

	for (int i = 0; i < r->n_mail_to && code == CURLE_OK; i++)
		code = add_line(&t->recipients, psprintf("<%s>", r->mail_to[i]));
	SET(CURLOPT_USE_SSL, tls);
	SET(CURLOPT_MAIL_FROM, psprintf("<%s>", r->mail_from));
	SET(CURLOPT_MAIL_RCPT, t->recipients);
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t) r->body_bytes);
	return code;
}

static CURLcode
set_resolve(WfNetTransfer *t)
{
	CURLcode	code = CURLE_OK;

	for (int i = 0; i < t->request.n_resolve && code == CURLE_OK; i++)
		code = add_line(&t->resolve, t->request.resolve[i]);
	if (code == CURLE_OK && t->resolve != NULL)
		code = curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->resolve);
	return code;
}

static CURLcode
set_all(WfNetTransfer *t, long total_ms)
{
	CURLcode	code = set_common(t, total_ms);

	if (code == CURLE_OK)
		code = wf_net_receive_setup(t);
	if (code == CURLE_OK)
		code = set_client_certificate(t);
	if (code == CURLE_OK)
		code = set_auth(t);
	if (code == CURLE_OK)
		code = t->request.kind == WF_NET_MAIL ? set_mail(t) : set_http(t);
	if (code == CURLE_OK)
		code = set_resolve(t);
	return code;
}

/* -- in and out -- */

/* Of a hop that could not be set up. What libcurl does not take now it never will. */
static WfNetOutcome
setup_outcome(const WfNetTransfer *t, CURLcode code)
{
	if (code == CURLE_OK || code == CURLE_OUT_OF_MEMORY)
		return WF_NET_OVERLOADED;
	return t->was_sent ? WF_NET_BROKEN : WF_NET_INVALID;
}

/* Is its host a name? */
bool
wf_net_hop_needs_name(const WfNetTransfer *t)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, t->host, address) != 1 && inet_pton(AF_INET6, t->host, address) != 1;
}

/* Begins the hop; when it cannot begin, the transfer is finished. Allocates in its memory context. */
void
wf_net_hop_start(WfNetTransfer *t)
{
	long		total_ms = t->request.total_timeout_ms;
	MemoryContext old = MemoryContextSwitchTo(t->memory);
	CURLcode	code = CURLE_OUT_OF_MEMORY;
	CURLMcode	entered;

	if (t->begun_us == 0)
		t->begun_us = wf_net_now_us();
	else
		total_ms -= (wf_net_now_us() - t->begun_us) / 1000;
	wf_net_receive_reset(t);
	t->curl_error[0] = '\0';
	t->remote_address[0] = '\0';
	t->remote_port = 0;
	t->connection_was_new = false;
	if (total_ms <= 0)
		wf_net_finish(t, WF_NET_TIMED_OUT, psprintf("no answer within %d ms", t->request.total_timeout_ms));
	else if ((t->request.kind == WF_NET_HTTP || t->request.is_bound) &&
			 !wf_net_policy_permits_host(t->partition->policy, t->host, t->port, t->rule, sizeof(t->rule)))
		wf_net_finish(t, WF_NET_BLOCKED, psprintf("requests to \"%s\" are forbidden: %s", t->host, t->rule));
	else
	{
		t->easy = wf_net_partition_handle(t->partition);
		if (t->easy != NULL)
			code = set_all(t, total_ms);
		entered = code == CURLE_OK ? curl_multi_add_handle(t->partition->multi, t->easy) : CURLM_OK;
		if (code != CURLE_OK || entered != CURLM_OK)
			wf_net_finish(t, setup_outcome(t, code),
						  psprintf("could not set up the request: %s",
								   code != CURLE_OK ? curl_easy_strerror(code) : curl_multi_strerror(entered)));
		else
			t->state = WF_NET_ACTIVE;
	}
	MemoryContextSwitchTo(old);
}

/* Takes it out of the CURLM, with its connection if the hop is not at its end. Throws nothing. */
void
wf_net_hop_drop(WfNetTransfer *t)
{
	if (t->easy == NULL)
		return;
	t->net->gave_up_names |= !t->request_begun && t->n_opened == 0 && wf_net_hop_needs_name(t);
	/* Not an error if it was not in there. */
	(void) curl_multi_remove_handle(t->partition->multi, t->easy);
	wf_net_partition_handle_back(t->partition, t->easy);
	t->easy = NULL;
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->recipients);
	curl_slist_free_all(t->resolve);
	t->headers = t->recipients = t->resolve = NULL;
}

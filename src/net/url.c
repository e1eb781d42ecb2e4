/*
 * url.c: one spelling for each URL, before anybody compares, logs or connects.
 *
 * libcurl's own parser reads it, so that what is checked is what is connected to; what comes out is read again until it
 * does not change any more. So 0x7f.1, 127.1., 017700000001 and numbers in full-width digits are 127.0.0.1 here; what still looks like
 * a number and is no address, user names, zone ids and characters that no host name has are refused.
 *
 * Versions of that parser differ in what they normalise at the first reading, and the newer ones alone write what is
 * percent-encoded in capitals: what comes out of here is the same with all of them.
 */
#include "net/internal.h"

#include <arpa/inet.h>
#include <ctype.h>

/* How often it is read until it must be stable. */
#define MAX_ROUNDS 5

/* A part in CurrentMemoryContext; NULL when there is none, with libcurl's code in *code. */
static char *
get_part(CURLU *handle, CURLUPart what, unsigned int flags, CURLUcode *code)
{
	char	   *foreign = NULL;
	char	   *copy;

	*code = curl_url_get(handle, what, &foreign, flags);
	if (*code != CURLUE_OK)
		return NULL;
	copy = MemoryContextAllocExtended(CurrentMemoryContext, strlen(foreign) + 1, MCXT_ALLOC_NO_OOM);
	if (copy != NULL)
		memcpy(copy, foreign, strlen(foreign) + 1);
	else
		*code = CURLUE_OUT_OF_MEMORY;
	curl_free(foreign);
	return copy;
}

static bool
is_number_label(const char *label)
{
	if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return label[2 + strspn(label + 2, "0123456789abcdefABCDEF")] == '\0';
	return label[0] != '\0' && label[strspn(label, "0123456789")] == '\0';
}

/* Is it a name whose last part is a number, as no name's is, and that is no address either? */
static bool
is_half_a_number(const char *host)
{
	const char *last = strrchr(host, '.');
	struct in_addr in;

	return strchr(host, ':') == NULL && is_number_label(last == NULL ? host : last + 1) && inet_pton(AF_INET, host, &in) != 1;
}

/* %c3 and %C3 are the same: the latter is written (RFC 3986, 6.2.2.1). In place. */
static void
capitalise_escapes(char *text)
{
	for (char *c = strchr(text, '%'); c != NULL; c = strchr(c + 1, '%'))
		if (isxdigit((unsigned char) c[1]) && isxdigit((unsigned char) c[2]))
		{
			c[1] = pg_ascii_toupper((unsigned char) c[1]);
			c[2] = pg_ascii_toupper((unsigned char) c[2]);
		}
}

/* The address within brackets, as one writes it; NULL: it is none. */
static char *
normal_address(const char *host)
{
	struct in6_addr in6;
	char		text[INET6_ADDRSTRLEN];
	size_t		bytes = strlen(host);

	if (bytes < 4 || host[bytes - 1] != ']' || inet_pton(AF_INET6, pnstrdup(host + 1, bytes - 2), &in6) != 1)
		return NULL;
	return inet_ntop(AF_INET6, &in6, text, sizeof(text)) == NULL ? NULL : pstrdup(text);
}

/*
 * A host in its one spelling, in CurrentMemoryContext: an address without brackets, or a name of letters, digits, - and _
 * in lower case without a dot behind. NULL: it is neither. Changes a name in place. It may be one that the next reading
 * takes for an address: without its dot, or now that it is decoded, it may look like one.
 */
static char *
normal_host(char *host)
{
	size_t		bytes = strlen(host);
	int			label = 0;

	if (host[0] == '[')
		return normal_address(host);
	if (bytes > 1 && host[bytes - 1] == '.')
		host[--bytes] = '\0';
	if (bytes == 0 || bytes > 253)
		return NULL;
	for (char *c = host; *c != '\0'; c++)
	{
		*c = pg_ascii_tolower((unsigned char) *c);
		if (*c == '.')
		{
			if (label == 0)
				return NULL;
			label = 0;
		}
		else if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", *c) == NULL || ++label > 63)
			return NULL;
	}
	return label == 0 ? NULL : host;
}

static bool
scheme_is_known(const char *scheme, WfNetKind kind)
{
	return kind == WF_NET_HTTP ? strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0
		: strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0;
}

/* What libcurl has read, into the parts of a WfNetUrl, whose text is what it would write. */
static bool
read_parts(CURLU *handle, WfNetKind kind, WfNetUrl *out, const char **problem)
{
	CURLUcode	code;
	char	   *text;
	char	   *bracketed;

	out->scheme = get_part(handle, CURLUPART_SCHEME, 0, &code);
	if (out->scheme == NULL || !scheme_is_known(out->scheme, kind))
	{
		*problem = kind == WF_NET_HTTP ? "its scheme is neither http nor https" : "its scheme is neither smtp nor smtps";
		return false;
	}
	if (get_part(handle, CURLUPART_ZONEID, 0, &code) != NULL)
	{
		*problem = "its host has a zone";
		return false;
	}
	out->host = get_part(handle, CURLUPART_HOST, CURLU_PUNYCODE, &code);
	if (out->host != NULL)
		out->host = normal_host(out->host);
	if (out->host == NULL)
	{
		*problem = "its host is malformed";
		return false;
	}
	bracketed = strchr(out->host, ':') == NULL ? out->host : psprintf("[%s]", out->host);
	if (curl_url_set(handle, CURLUPART_HOST, bracketed, 0) != CURLUE_OK ||
		curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
	{
		*problem = "its host is malformed";
		return false;
	}
	text = get_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, &code);
	out->port = text == NULL ? 0 : atoi(text);
	if (out->port < 1 || out->port > 65535)
	{
		*problem = "its port is not from 1 to 65535";
		return false;
	}
	out->path = get_part(handle, CURLUPART_PATH, 0, &code);
	out->text = get_part(handle, CURLUPART_URL, CURLU_NO_DEFAULT_PORT, &code);
	if (out->path == NULL || out->text == NULL)
	{
		*problem = curl_url_strerror(code);
		return false;
	}
	capitalise_escapes(out->path);
	capitalise_escapes(out->text);
	return true;
}

/* Reads text, relative to base when that is not NULL. */
static bool
parse_once(const char *text, const char *base, WfNetKind kind, WfNetUrl *out, const char **problem)
{
	CURLU	   *handle = curl_url();
	unsigned int flags = CURLU_DISALLOW_USER | CURLU_URLENCODE | CURLU_ALLOW_SPACE;
	CURLUcode	code = handle == NULL ? CURLUE_OUT_OF_MEMORY : CURLUE_OK;
	bool		is_good = false;

	PG_TRY();
	{
		if (code == CURLUE_OK && base != NULL)
			code = curl_url_set(handle, CURLUPART_URL, base, flags);
		if (code == CURLUE_OK)
			code = curl_url_set(handle, CURLUPART_URL, text, flags);
		if (code == CURLUE_OK)
			is_good = read_parts(handle, kind, out, problem);
		else
			*problem = code == CURLUE_USER_NOT_ALLOWED ? "it has a user name in it" :
				code == CURLUE_UNSUPPORTED_SCHEME ? "its scheme is neither http nor https" :
				code == CURLUE_BAD_PORT_NUMBER ? "its port is not from 1 to 65535" :
				code == CURLUE_OUT_OF_MEMORY ? "out of memory" : curl_url_strerror(code);
	}
	PG_FINALLY();
	{
		curl_url_cleanup(handle);
	}
	PG_END_TRY();
	return is_good;
}

/* Reads the URL, then what was written, until that does not change any more. */
static bool
parse(const char *text, const char *base, WfNetKind kind, WfNetUrl *out, const char **problem)
{
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		if (!parse_once(text, base, kind, out, problem))
			return false;
		if (base == NULL && strcmp(text, out->text) == 0)
		{
			if (!is_half_a_number(out->host))
				return true;
			*problem = "its host is malformed";
			return false;
		}
		text = out->text;
		base = NULL;
	}
	return false;
}

/*
 * The URL, relative to base (NULL: it is absolute), in CurrentMemoryContext. False when it is malformed, with the reason
 * in *problem; the reason never quotes the URL, which may hold secrets.
 */
bool
wf_net_url_parse(const char *text, const char *base, WfNetKind kind, WfNetUrl *out, char **problem)
{
	const char *why = "it is malformed";

	memset(out, 0, sizeof(*out));
	*problem = NULL;
	if (text[0] == '\0')
		why = "it is empty";
	else if (strlen(text) > WF_NET_URL_BYTES)
		why = "it is too long";
	else if (text[strcspn(text, "\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020\021\022\023\024\025\026\027"
						  "\030\031\032\033\034\035\036\037\177")] != '\0')
		why = "it has control characters";
	else if (parse(text, base, kind, out, &why))
		return true;
	*problem = psprintf("the URL is malformed: %s", why);
	return false;
}

char *
wf_net_url_canonical(const char *url, char **host, int *port, char **path, char **problem)
{
	WfNetUrl	parsed;

	if (!wf_net_url_parse(url, NULL, WF_NET_HTTP, &parsed, problem))
		return NULL;
	if (host != NULL)
		*host = parsed.host;
	if (port != NULL)
		*port = parsed.port;
	if (path != NULL)
		*path = parsed.path;
	return parsed.text;
}

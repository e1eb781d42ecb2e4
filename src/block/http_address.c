/*
 * http_address.c: addresses of requests as text: what is refused before anybody resolves them, and what links between
 * pages lead to.
 *
 * Only http and https; no credentials (`auth` is for these), no spaces, control characters or backslashes, over which
 * parsers disagree; a host of letters, digits, dots and hyphens, or an address in brackets. Where a host may be is not
 * decided here: that is asked of the address that is connected to.
 *
 * An address may hold secrets as markers (U+E000 <nonce> : NAME U+E001). For the checks each counts as a digit, which may
 * stand in a host, a port, a path; an address that begins with one can be looked at only for what no secret repairs.
 * A marker with another nonce is text like any other.
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "base/text.h"
#include "block/http.h"
#include "lib/stringinfo.h"

#define ADDRESS_BYTES 8192
#define HOST_BYTES 253

#define MARKER_BEGIN "\xEE\x80\x80"
#define MARKER_END "\xEE\x80\x81"
#define MARKER_DELIMITER_BYTES 3

/* The parts of an address, in its own text. */
typedef struct Parts
{
	int			scheme_len;
	const char *authority;
	int			authority_len;
	const char *path;			/* with query and fragment */
} Parts;

/* The end of the marker that begins here; NULL when none does. */
static const char *
marker_end(const char *text, const char *nonce)
{
	const char *end;

	if (nonce == NULL || strncmp(text, MARKER_BEGIN, MARKER_DELIMITER_BYTES) != 0)
		return NULL;
	text += MARKER_DELIMITER_BYTES;
	if (strncmp(text, nonce, strlen(nonce)) != 0 || text[strlen(nonce)] != ':')
		return NULL;
	end = strstr(text, MARKER_END);
	return end == NULL ? NULL : end + MARKER_DELIMITER_BYTES;
}

bool
wf_block_has_marker(const char *text, const char *nonce)
{
	if (nonce == NULL)
		return false;
	for (text = strstr(text, MARKER_BEGIN); text != NULL; text = strstr(text + 1, MARKER_BEGIN))
	{
		if (marker_end(text, nonce) != NULL)
			return true;
	}
	return false;
}

/* The text with a digit for each marker. */
static char *
mask(const char *url, const char *nonce)
{
	StringInfoData masked;

	initStringInfo(&masked);
	while (*url != '\0')
	{
		const char *end = marker_end(url, nonce);

		appendStringInfoChar(&masked, end != NULL ? '1' : *url);
		url = end != NULL ? end : url + 1;
	}
	return masked.data;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* How many bytes of scheme stand before a colon; 0 when there is none. */
static int
scheme_length(const char *url)
{
	int			len = 0;

	if (!is_letter(url[0]))
		return 0;
	while (is_letter(url[len]) || is_digit(url[len]) || url[len] == '+' || url[len] == '-' || url[len] == '.')
		len++;
	return url[len] == ':' ? len : 0;
}

static bool
is_known_scheme(const char *url, int len)
{
	return (len == 4 && pg_strncasecmp(url, "http", 4) == 0) || (len == 5 && pg_strncasecmp(url, "https", 5) == 0);
}

/* False when it has no scheme with an authority. */
static bool
split(const char *url, Parts *out)
{
	out->scheme_len = scheme_length(url);
	if (out->scheme_len == 0 || strncmp(url + out->scheme_len, "://", 3) != 0)
		return false;
	out->authority = url + out->scheme_len + 3;
	out->authority_len = strcspn(out->authority, "/?#");
	out->path = out->authority + out->authority_len;
	return true;
}

/* -- what is refused -- */

bool
wf_block_address_is_host(const char *host, int len, bool ascii)
{
	if (len == 0 || len > HOST_BYTES || host[0] == '.')
		return false;
	for (int i = 0; i < len; i++)
	{
		if (!is_letter(host[i]) && !is_digit(host[i]) && host[i] != '-' && host[i] != '_' && host[i] != '.' &&
			(ascii || !IS_HIGHBIT_SET(host[i])))
			return false;
		if (host[i] == '.' && i + 1 < len && host[i + 1] == '.')
			return false;
	}
	return true;
}

static const char *
port_problem(const char *port, int len)
{
	int			number = 0;

	for (int i = 0; i < len; i++)
	{
		if (!is_digit(port[i]))
			return "has a port that is no number";
		number = Min(number * 10 + (port[i] - '0'), 100000);
	}
	return number >= 1 && number <= 65535 ? NULL : "has a port that is not between 1 and 65535";
}

static const char *
authority_problem(const char *authority, int len, const char **hint)
{
	int			host_len;

	if (memchr(authority, '@', len) != NULL)
	{
		*hint = "Give them in \"auth\".";
		return "holds credentials";
	}
	if (len > 0 && authority[0] == '[')
	{
		const char *end = memchr(authority, ']', len);
		struct in6_addr unused;

		if (end == NULL || inet_pton(AF_INET6, pnstrdup(authority + 1, end - authority - 1), &unused) != 1)
			return "has no valid IPv6 address in its brackets";
		host_len = end + 1 - authority;
		if (host_len < len && authority[host_len] != ':')
			return "has no valid host";
	}
	else
	{
		for (host_len = 0; host_len < len && authority[host_len] != ':'; host_len++)
			;
		if (host_len == 0)
			return "has no host";
		if (!wf_block_address_is_host(authority, host_len, false))
			return "has no valid host";
	}
	return host_len == len ? NULL : port_problem(authority + host_len + 1, len - host_len - 1);
}

static const char *
scheme_problem(const char *url)
{
	int			len = scheme_length(url);

	if (len == 0 || url[len + 1] != '/' || url[len + 2] != '/')
		return "is no address: it must begin with http:// or https://";
	if (!is_known_scheme(url, len))
		return psprintf("must be an address of http or https, not of %s", wf_text_clip(pnstrdup(url, len)));
	return NULL;
}

static const char *
character_problem(const char *text, const char **hint)
{
	for (const char *p = text; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ' || *p == 0x7f)
			return "holds a control character";
		if (*p == '\\')
			return "holds a backslash";
		if (*p == ' ')
		{
			*hint = "What is put into an address needs encodeURIComponent().";
			return "holds a space";
		}
	}
	return NULL;
}

const char *
wf_block_address_problem(const char *url, const char *nonce, const char **hint)
{
	char	   *masked = mask(url, nonce);
	const char *problem;
	Parts		parts;

	*hint = NULL;
	if (masked[0] == '\0')
		return "is empty";
	if (strlen(masked) > ADDRESS_BYTES)
		return psprintf("has more than %d bytes", ADDRESS_BYTES);
	problem = character_problem(masked, hint);
	if (problem != NULL || marker_end(url, nonce) != NULL)
		return problem;
	problem = scheme_problem(masked);
	if (problem != NULL)
		return problem;
	if (!split(masked, &parts))
		return "is no address";
	return authority_problem(parts.authority, parts.authority_len, hint);
}

const char *
wf_block_address_begin_problem(const char *begin)
{
	const char *unused = NULL;

	if (strstr(begin, "://") == NULL)
		return character_problem(begin, &unused);
	return scheme_problem(begin) != NULL ? scheme_problem(begin) : character_problem(begin, &unused);
}

char *
wf_block_address_encode(const char *url, const char *nonce)
{
	StringInfoData encoded;
	Parts		parts;

	initStringInfo(&encoded);
	if (split(url, &parts))
	{
		appendBinaryStringInfo(&encoded, url, parts.path - url);
		url = parts.path;
	}
	while (*url != '\0')
	{
		const char *end = marker_end(url, nonce);

		if (end != NULL)
		{
			appendBinaryStringInfo(&encoded, url, end - url);
			url = end;
			continue;
		}
		if (IS_HIGHBIT_SET(*url))
			appendStringInfo(&encoded, "%%%02X", (unsigned char) *url);
		else
			appendStringInfoChar(&encoded, *url);
		url++;
	}
	return encoded.data;
}

/* -- links -- */

char *
wf_block_address_resolve(const char *base, const char *link)
{
	int			scheme_len = scheme_length(link);
	int			path_len;
	Parts		parts;

	if (link[0] == '\0' || link[0] == '#')
		return NULL;
	if (scheme_len > 0)
		return pstrdup(link);
	if (!split(base, &parts))
		return NULL;
	if (link[0] == '/' && link[1] == '/')
		return psprintf("%.*s:%s", parts.scheme_len, base, link);
	if (link[0] == '/')
		return psprintf("%.*s%s", (int) (parts.path - base), base, link);
	path_len = strcspn(parts.path, "?#");
	if (link[0] == '?')
		return psprintf("%.*s%s%s", (int) (parts.path + path_len - base), base, path_len == 0 ? "/" : "", link);
	while (path_len > 0 && parts.path[path_len - 1] != '/')
		path_len--;
	return psprintf("%.*s%s%s", (int) (parts.path + path_len - base), base, path_len == 0 ? "/" : "", link);
}

/* The authority as `host:port`, in small letters. */
static char *
host_and_port(const char *url, const Parts *parts)
{
	char	   *text = pnstrdup(parts->authority, parts->authority_len);
	char	   *behind = strrchr(text, ']') != NULL ? strrchr(text, ']') : text;

	for (char *p = text; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	if (strchr(behind, ':') != NULL)
		return text;
	return psprintf("%s:%s", text, parts->scheme_len == 4 ? "80" : "443");
}

bool
wf_block_address_same_host(const char *from, const char *to)
{
	Parts		old_parts;
	Parts		new_parts;
	char	   *old_host;
	char	   *new_host;

	if (!split(from, &old_parts) || !split(to, &new_parts) || !is_known_scheme(from, old_parts.scheme_len) ||
		!is_known_scheme(to, new_parts.scheme_len) || old_parts.scheme_len > new_parts.scheme_len)
		return false;
	old_host = host_and_port(from, &old_parts);
	new_host = host_and_port(to, &new_parts);
	if (strcmp(old_host, new_host) == 0)
		return true;
	/* from http to https, each at its own port */
	return old_parts.scheme_len < new_parts.scheme_len && strlen(old_host) + 1 == strlen(new_host) &&
		strncmp(old_host, new_host, strlen(old_host) - 2) == 0 &&
		strcmp(old_host + strlen(old_host) - 3, ":80") == 0 && strcmp(new_host + strlen(new_host) - 4, ":443") == 0;
}

/* -- as others see it -- */

/* The text with *** for each marker. */
static char *
without_secrets(const char *text, const char *nonce)
{
	StringInfoData shown;

	initStringInfo(&shown);
	while (*text != '\0')
	{
		const char *end = marker_end(text, nonce);

		if (end != NULL)
			appendStringInfoString(&shown, "***");
		else
			appendStringInfoChar(&shown, *text);
		text = end != NULL ? end : text + 1;
	}
	return shown.data;
}

void
wf_block_address_face(const char *url, const char *nonce, const char **host, const char **path)
{
	char	   *shown = without_secrets(url, nonce);
	Parts		parts;

	*host = "***";
	*path = NULL;
	if (!split(shown, &parts))
		return;					/* all of it comes from a secret */
	*host = host_and_port(shown, &parts);
	*path = pnstrdup(parts.path, strcspn(parts.path, "?#"));
	if ((*path)[0] == '\0')
		*path = "/";
}

/* -- the header Link -- */

/* Has a link's parameters `rel="... next ..."`? */
static bool
is_next(const char *params, int len)
{
	char	   *text = pnstrdup(params, len);

	for (char *p = text; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	for (const char *rel = strstr(text, "rel"); rel != NULL; rel = strstr(rel + 3, "rel"))
	{
		const char *value = rel + 3 + strspn(rel + 3, " \t");
		const char *end;

		if (*value != '=' || (rel > text && strchr("; \t", rel[-1]) == NULL))
			continue;
		value += 1 + strspn(value + 1, " \t");
		end = *value == '"' ? strchr(value + 1, '"') : value + strcspn(value, "; \t");
		if (*value == '"')
			value++;
		while (end != NULL && value < end)
		{
			int			word = strcspn(value, " \t\";");

			if (word == 4 && strncmp(value, "next", 4) == 0)
				return true;
			value += word + 1;
		}
	}
	return false;
}

/* The end of a link's parameters: a comma outside of quotes. */
static const char *
params_end(const char *p)
{
	bool		quoted = false;

	for (; *p != '\0' && (quoted || *p != ','); p++)
	{
		if (*p == '"')
			quoted = !quoted;
	}
	return p;
}

char *
wf_block_link_next(const char *header)
{
	const char *open;

	while ((open = strchr(header, '<')) != NULL)
	{
		const char *close = strchr(open, '>');
		const char *end;

		if (close == NULL)
			return NULL;
		end = params_end(close + 1);
		if (is_next(close + 1, end - close - 1))
			return pnstrdup(open + 1, close - open - 1);
		header = end;
	}
	return NULL;
}

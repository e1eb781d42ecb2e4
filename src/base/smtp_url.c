/*
 * smtp_url.c: reading workflow.smtp_url, for the setting's check and for whoever sends mail.
 *
 * It is read here and not by libcurl, as the check runs in every process and must not quote the password that it may
 * find. User and password are percent-encoded, so that the first @ ends them and the first : parts them.
 */
#include "postgres.h"

#include "base/smtp_url.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = pg_ascii_tolower((unsigned char) c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes into `out`; false when it does not fit, or holds a broken escape or a control character. */
static bool
decode(const char *text, size_t bytes, char *out, size_t size)
{
	size_t		n = 0;

	for (size_t i = 0; i < bytes; i++)
	{
		unsigned char c = text[i];

		if (c == '%')
		{
			if (i + 2 >= bytes || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
				return false;
			c = hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]);
			i += 2;
		}
		if (c < ' ' || c == 0x7f || n + 1 >= size)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

/* user[:password] */
static const char *
read_login(const char *text, size_t bytes, WfSmtpUrl *out)
{
	const char *colon = memchr(text, ':', bytes);
	size_t		user_bytes = colon == NULL ? bytes : colon - text;

	if (!decode(text, user_bytes, out->user, sizeof(out->user)) ||
		(colon != NULL && !decode(colon + 1, bytes - user_bytes - 1, out->password, sizeof(out->password))))
		return "its user or password is malformed: what is no letter or digit is percent-encoded";
	if (out->user[0] == '\0')
		return "its user is empty";
	out->has_user = true;
	return NULL;
}

/* host[:port] */
static const char *
read_host(const char *text, WfSmtpUrl *out)
{
	size_t		bytes = text[0] == '[' ? strcspn(text, "]") + (strchr(text, ']') != NULL) : strcspn(text, ":/");
	const char *port = text + bytes;

	if (bytes == 0 || bytes >= sizeof(out->host) || (text[0] == '[' && (bytes < 4 || text[bytes - 1] != ']')))
		return "it has no valid host";
	for (size_t i = 0; i < bytes; i++)
	{
		char		c = pg_ascii_tolower((unsigned char) text[i]);

		if (strchr(text[0] == '[' ? "[]0123456789abcdef:." : "abcdefghijklmnopqrstuvwxyz0123456789-._", c) == NULL)
			return "it has no valid host";
		out->host[i] = c;
	}
	out->host[bytes] = '\0';
	out->port = out->is_tls ? 465 : 25;
	if (*port == ':')
	{
		out->port = 0;
		for (port++; *port >= '0' && *port <= '9' && out->port <= 65535; port++)
			out->port = out->port * 10 + (*port - '0');
		if (out->port < 1 || out->port > 65535)
			return "its port is not from 1 to 65535";
	}
	return *port == '\0' || strcmp(port, "/") == 0 ? NULL : "something follows its host and port";
}

const char *
wf_smtp_url_read(const char *text, WfSmtpUrl *out)
{
	const char *rest;
	const char *at;
	const char *problem;

	memset(out, 0, sizeof(*out));
	out->is_tls = pg_strncasecmp(text, "smtps://", 8) == 0;
	if (!out->is_tls && pg_strncasecmp(text, "smtp://", 7) != 0)
		return "it does not begin with smtp:// or smtps://";
	rest = text + (out->is_tls ? 8 : 7);
	at = strchr(rest, '@');
	if (at != NULL)
	{
		problem = read_login(rest, at - rest, out);
		if (problem != NULL)
			return problem;
		rest = at + 1;
	}
	return read_host(rest, out);
}

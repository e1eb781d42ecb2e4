/*
 * mail.c: a request of kind mail: envelope, relay and message.
 *
 * The message is made here, by hand: headers, then the text, the HTML, or both as multipart/alternative; with attachments,
 * that is the first part of multipart/mixed. Recipients of bcc are in the envelope only. Date and boundaries follow from the
 * attempt's time and the request's id, Message-ID from the id alone, so that a mail that is sent twice can be known as one.
 *
 * A boundary begins with "=_", which base64 and quoted-printable never have; a text that has it is not left as it is.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/smtp_url.h"
#include "dispatch/making.h"

/* What a mail is made of. */
/* Ports of a relay that names none. */
#define SUBMISSION_PORT 587
#define IMPLICIT_PORT 465

typedef struct Mail
{
	const JsonbValue *object;
	const char **from;			/* one */
	const char **to;
	const char **cc;
	const char **bcc;
	int			n_to;
	int			n_cc;
	int			n_bcc;
	WfText		subject;
	WfText		text;			/* .data NULL: none */
	WfText		html;
	const char *boundary;		/* without its number */
} Mail;

/* -- reading -- */

static bool
read_address(WfMaking *m, const char *where, const JsonbValue *value, const char **out)
{
	WfText		line = {0};
	char	   *mailbox;

	if (!wf_making_line(m, where, value, &line))
		return false;
	mailbox = wf_mime_mailbox(line.data);
	/* net/ looks at it again; this is for the message's headers and its id */
	for (const char *c = mailbox; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || strchr("<>()[]:;,\"\\", *c) != NULL)
			return wf_making_wrong(m, "\"%s\" is no address of mail", where);
	if (strchr(mailbox, '@') == NULL)
		return wf_making_wrong(m, "\"%s\" is no address of mail", where);
	*out = line.data;
	return true;
}

static bool
read_addresses(WfMaking *m, const JsonbValue *mail, const char *key, const char ***out, int *n)
{
	JsonbValue	list;
	JsonbValue	value;

	*n = 0;
	if (!wf_json_field(mail, key, &list))
		return true;
	*out = palloc0(sizeof(char *) * (wf_json_count(&list) + 1));
	for (uint32 i = 0; wf_json_element(&list, i, &value); i++)
		if (!read_address(m, psprintf("%s[%u]", key, i), &value, &(*out)[(*n)++]))
			return false;
	return true;
}

static bool
read_text(WfMaking *m, const JsonbValue *mail, const char *key, WfText *out)
{
	JsonbValue	value;

	memset(out, 0, sizeof(*out));
	return !wf_json_field(mail, key, &value) || wf_making_text(m, key, &value, out);
}

static bool
read_mail(WfMaking *m, Mail *mail)
{
	JsonbValue	value;

	mail->from = palloc0(sizeof(char *));
	if (!wf_json_field(mail->object, "from", &value))
		return wf_making_wrong(m, "\"from\" is missing");
	if (!read_address(m, "from", &value, mail->from) || !read_addresses(m, mail->object, "to", &mail->to, &mail->n_to) ||
		!read_addresses(m, mail->object, "cc", &mail->cc, &mail->n_cc) ||
		!read_addresses(m, mail->object, "bcc", &mail->bcc, &mail->n_bcc) ||
		!read_text(m, mail->object, "subject", &mail->subject) || !read_text(m, mail->object, "text", &mail->text) ||
		!read_text(m, mail->object, "html", &mail->html))
		return false;
	if (mail->subject.data != NULL && wf_making_has_control(mail->subject.data, mail->subject.bytes))
		return wf_making_wrong(m, "\"subject\" holds a line feed or another control character");
	if (mail->n_to + mail->n_cc + mail->n_bcc == 0)
		return wf_making_wrong(m, "the mail has no recipient");
	if (mail->text.data == NULL && mail->html.data == NULL)
		return wf_making_wrong(m, "the mail has neither \"text\" nor \"html\"");
	m->out->body_is_secret = mail->text.is_secret || mail->html.is_secret || mail->subject.is_secret;
	return true;
}

/* -- envelope and relay -- */

/* Each recipient once. */
static void
add_recipients(WfMaking *m, const char **to, const char **addresses, int n)
{
	for (int i = 0; i < n; i++)
	{
		char	   *mailbox = wf_mime_mailbox(addresses[i]);
		bool		is_there = false;

		for (int j = 0; j < m->out->n_mail_to; j++)
			is_there |= pg_strcasecmp(to[j], mailbox) == 0;
		if (!is_there)
			to[m->out->n_mail_to++] = mailbox;
	}
}

static void
set_envelope(WfMaking *m, const Mail *mail)
{
	const char **to = palloc(sizeof(char *) * (mail->n_to + mail->n_cc + mail->n_bcc));

	m->out->mail_from = wf_mime_mailbox(mail->from[0]);
	m->out->mail_to = to;
	add_recipients(m, to, mail->to, mail->n_to);
	add_recipients(m, to, mail->cc, mail->n_cc);
	add_recipients(m, to, mail->bcc, mail->n_bcc);
}

static const char *
secret_copy(const char *text)
{
	WfBuffer   *copy = wf_buffer_make(strlen(text));

	wf_buffer_put_text(copy, text);
	return copy->data;
}

/* That of a credential. It is a tenant's, so the address policy binds it. */
static bool
set_own_relay(WfMaking *m, const JsonbValue *relay)
{
	WfText		host = {0};
	WfText		tls = {0};
	WfText		user = {0};
	WfText		password = {0};
	bool		is_implicit;

	if (!wf_making_member(m, relay, "auth", "host", true, &host) || !wf_making_member(m, relay, "auth", "tls", false, &tls) ||
		!wf_making_member(m, relay, "auth", "username", false, &user) || !wf_making_member(m, relay, "auth", "password", false, &password))
		return false;
	is_implicit = tls.data != NULL && strcmp(tls.data, "implicit") == 0;
	m->out->url = psprintf("%s://%s:%d", is_implicit ? "smtps" : "smtp", host.data,
						   wf_making_int(relay, "port", is_implicit ? IMPLICIT_PORT : SUBMISSION_PORT));
	m->out->is_bound = true;
	if (tls.data != NULL && strcmp(tls.data, "required") == 0)
		m->out->starttls = WF_NET_STARTTLS_REQUIRED;
	else if (tls.data != NULL && strcmp(tls.data, "never") == 0)
		m->out->starttls = WF_NET_STARTTLS_NEVER;
	wf_making_add_credential(m, "own relay");
	if (user.data == NULL || user.bytes == 0)
		return true;
	m->out->auth.type = WF_NET_AUTH_BASIC;
	m->out->auth.user = user.data;
	m->out->auth.password = password.data == NULL ? "" : password.data;
	wf_making_add_credential(m, user.data);
	wf_making_add_credential(m, m->out->auth.password);
	return true;
}

static bool
set_relay(WfMaking *m)
{
	WfSmtpUrl	relay;
	JsonbValue	own;

	if (wf_json_field(m->request, "relay", &own))
		return set_own_relay(m, &own);
	if (wf_setting_smtp_url[0] == '\0' || wf_smtp_url_read(wf_setting_smtp_url, &relay) != NULL)
	{
		m->problem = wf_error_make(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "Set workflow.smtp_url.",
								   "there is no mail relay");
		return false;
	}
	m->out->url = psprintf("%s://%s:%d", relay.is_tls ? "smtps" : "smtp", relay.host, relay.port);
	if (relay.has_user)
	{
		m->out->auth.type = WF_NET_AUTH_BASIC;
		m->out->auth.user = secret_copy(relay.user);
		m->out->auth.password = secret_copy(relay.password);
		wf_making_add_credential(m, relay.user);
		wf_making_add_credential(m, relay.password);
	}
	explicit_bzero(&relay, sizeof(relay));
	return true;
}

/* -- the message -- */

static void
put_headers(WfMaking *m, const Mail *mail, WfBuffer *out)
{
	const char *id = wf_making_uuid(&m->in->request_id);

	wf_buffer_put_text(out, psprintf("Date: %s\r\n", wf_mime_date(m->in->now_unix_ms)));
	wf_mime_put_address_header(out, "From", mail->from, 1);
	if (mail->n_to > 0)
		wf_mime_put_address_header(out, "To", mail->to, mail->n_to);
	if (mail->n_cc > 0)
		wf_mime_put_address_header(out, "Cc", mail->cc, mail->n_cc);
	if (mail->n_to + mail->n_cc == 0)
		wf_buffer_put_text(out, "To: undisclosed-recipients:;\r\n");
	if (mail->subject.bytes > 0)
		wf_mime_put_text_header(out, "Subject", mail->subject.data);
	wf_buffer_put_text(out, psprintf("Message-ID: <%s%s>\r\n", id, strchr(m->out->mail_from, '@')));
	wf_buffer_put_text(out, "MIME-Version: 1.0\r\n");
}

static void
put_multipart(WfBuffer *out, const char *subtype, const char *boundary)
{
	wf_buffer_put_text(out, psprintf("Content-Type: multipart/%s;\r\n boundary=\"%s\"\r\n\r\n", subtype, boundary));
}

/* Text, HTML or both, as an entity whose last line is not ended. */
static void
put_content(const Mail *mail, WfBuffer *out)
{
	static const char *const text_type = "text/plain; charset=utf-8";
	static const char *const html_type = "text/html; charset=utf-8";
	const char *boundary = psprintf("%s_2", mail->boundary);

	if (mail->html.data == NULL)
		wf_mime_put_text_entity(out, text_type, mail->text.data, mail->text.bytes);
	else if (mail->text.data == NULL)
		wf_mime_put_text_entity(out, html_type, mail->html.data, mail->html.bytes);
	else
	{
		put_multipart(out, "alternative", boundary);
		wf_buffer_put_text(out, psprintf("--%s\r\n", boundary));
		wf_mime_put_text_entity(out, text_type, mail->text.data, mail->text.bytes);
		wf_buffer_put_text(out, psprintf("\r\n--%s\r\n", boundary));
		wf_mime_put_text_entity(out, html_type, mail->html.data, mail->html.bytes);
		wf_buffer_put_text(out, psprintf("\r\n--%s--", boundary));
	}
}

/* A type that an attachment in base64 can have: parts and messages can't be encoded (RFC 2045, 6.4). */
static const char *
attachment_type(const WfText *type)
{
	if (type->data == NULL || pg_strncasecmp(type->data, "multipart/", 10) == 0 || pg_strncasecmp(type->data, "message/", 8) == 0)
		return "application/octet-stream";
	return type->data;
}

static bool
put_attachment(WfMaking *m, const char *where, const JsonbValue *attachment, WfBuffer *out)
{
	const char *content_where = psprintf("%s.content", where);
	JsonbValue	content;
	WfText		filename = {0};
	WfText		type = {0};
	WfText		text = {0};
	WfBuffer   *bytes;

	if (!wf_making_member(m, attachment, where, "filename", true, &filename) ||
		!wf_making_member(m, attachment, where, "contentType", false, &type))
		return false;
	for (size_t i = 0; i < type.bytes; i++)
		if (IS_HIGHBIT_SET(type.data[i]))
			return wf_making_wrong(m, "\"%s.contentType\" is no content type", where);
	if (!wf_json_field(attachment, "content", &content))
		return wf_making_wrong(m, "\"%s\" is missing", content_where);
	if (!wf_making_text(m, content_where, &content, &text))
		return false;
	bytes = wf_buffer_make(text.bytes / 4 * 3 + 3);
	if (!wf_buffer_put_decoded(bytes, text.data, text.bytes))
		return wf_making_wrong(m, "\"%s\" is no base64", content_where);
	wf_buffer_put_text(out, psprintf("Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment",
									 attachment_type(&type)));
	wf_mime_put_parameter(out, "filename", filename.data);
	wf_buffer_put_text(out, "\r\n\r\n");
	wf_buffer_put_base64(out, bytes->data, bytes->bytes, 76);
	out->overflown |= bytes->overflown;
	return true;
}

static bool
put_message(WfMaking *m, Mail *mail, WfBuffer *out)
{
	const char *boundary = psprintf("%s_1", mail->boundary);
	JsonbValue	attachments;
	JsonbValue	attachment;

	put_headers(m, mail, out);
	if (!wf_json_field(mail->object, "attachments", &attachments) || wf_json_count(&attachments) == 0)
	{
		put_content(mail, out);
		if (out->bytes < 2 || strcmp(out->data + out->bytes - 2, "\r\n") != 0)
			wf_buffer_put_text(out, "\r\n");
		return true;
	}
	put_multipart(out, "mixed", boundary);
	wf_buffer_put_text(out, psprintf("--%s\r\n", boundary));
	put_content(mail, out);
	wf_buffer_put_text(out, "\r\n");
	for (uint32 i = 0; wf_json_element(&attachments, i, &attachment); i++)
	{
		wf_buffer_put_text(out, psprintf("--%s\r\n", boundary));
		if (!put_attachment(m, psprintf("attachments[%u]", i), &attachment, out))
			return false;
	}
	wf_buffer_put_text(out, psprintf("--%s--\r\n", boundary));
	return true;
}

bool
wf_compose_mail(WfMaking *m)
{
	Mail		mail = {0};
	JsonbValue	object;
	WfBuffer   *message;

	m->out->kind = WF_NET_MAIL;
	if (!wf_json_field(m->request, "mail", &object))
		return wf_making_wrong(m, "\"mail\" is missing");
	mail.object = &object;
	mail.boundary = psprintf("=_%s", wf_making_uuid(&m->in->request_id));
	if (!set_relay(m) || !read_mail(m, &mail))
		return false;
	set_envelope(m, &mail);
	message = wf_buffer_make(wf_json_size(&object) / 8 * 9 + 4096);
	if (!put_message(m, &mail, message))
		return false;
	if (message->overflown)
		return wf_making_fail(m, WF_ERRCODE_LIMIT_EXCEEDED, "request is too large");
	m->out->body = message->data;
	m->out->body_bytes = message->bytes;
	wf_making_limits(m);
	m->out->max_redirects = 0;
	return wf_making_partition(m);
}

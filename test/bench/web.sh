# web.sh: servers that requests of the bench go to: WEB_PORT, an nginx of one process; SLOW_PORT, the server of the tests, for answers
# that take a while; DEAF_PORT, which accepts nothing. Sourced after bench_cluster.
# A web server of one process, on a free port, and the one of the tests, for answers that take a while.
WEB=$WORK/nginx
mkdir -p "$WEB"
WEB_PORT=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1)->sockport')
cat >"$WEB/nginx.conf" <<END
worker_processes 1;
pid $WEB/pid;
error_log $WEB/error.log;
events { worker_connections 8192; }
http {
	access_log off;
	keepalive_requests 100000000;
	client_body_temp_path $WEB/a; proxy_temp_path $WEB/b; fastcgi_temp_path $WEB/c; uwsgi_temp_path $WEB/d; scgi_temp_path $WEB/e;
	server { listen 127.0.0.1:$WEB_PORT backlog=8192; location / { return 200 "hello"; } }
}
END
nginx -c "$WEB/nginx.conf" 2>"$WEB/start.log" || die "could not start nginx: $(cat "$WEB/start.log")"
CERTIFICATES=$WORK/certificates
mkdir -p "$CERTIFICATES"
for name in ca good expired wronghost selfsigned untrusted; do
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$CERTIFICATES/$name.key" -out "$CERTIFICATES/$name.crt" -subj "/CN=$name" 2>/dev/null
done
coproc SLOW { exec node test/t/net_server.mjs "$CERTIFICATES"; }
read -r PORTS <&"${SLOW[0]}"
SLOW_PORT=$(sed -E 's/.*"http":([0-9]+).*/\1/' <<<"$PORTS")
DEAF_PORT=$(sed -E 's/.*"deaf":([0-9]+).*/\1/' <<<"$PORTS")
trap 'kill "$(cat "$WEB/pid")" $SLOW_PID 2>/dev/null; cluster_stop' EXIT


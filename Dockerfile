# The same content as `make image`, where a container engine exists:
#   docker build --tag konductor:VERSION .
# The project's own tests use `make image`; no engine was at hand to try this file.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY src src
COPY tools tools
RUN node tools/build.ts
RUN mkdir -p /image/etc /image/konductor /image/usr/bin \
 && install -d -m 1777 /image/tmp \
 && cp /usr/local/bin/node /image/usr/bin/node \
 && ldd /usr/local/bin/node | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "/image$library"; done \
 && cp dist/konductor.js dist/gate.js dist/koncli.js /image/konductor/ \
 && sed -i '1s|.*|#!/usr/bin/node|' /image/konductor/*.js \
 && echo '{"type":"module"}' > /image/konductor/package.json \
 && ln -s /konductor/koncli.js /image/usr/bin/koncli \
 && ln -s /konductor/koncli.js /image/usr/bin/kubectl-koncli \
 && printf 'root:x:0:0::/:/sbin/nologin\nnonroot:x:65532:65532::/:/sbin/nologin\n' > /image/etc/passwd \
 && printf 'root:x:0:\nnonroot:x:65532:\n' > /image/etc/group \
 && echo 'hosts: files dns' > /image/etc/nsswitch.conf

FROM scratch
COPY --from=build /image /
ENV PATH=/usr/bin NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["/usr/bin/node", "/konductor/konductor.js"]
CMD ["serve"]

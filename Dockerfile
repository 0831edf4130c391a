# One image for operator, brokers and command line: docker build -t example.com/millrace:0.1.0 .
# `npm run image` makes the same without a container engine, for tests. This file is not built by the tests.
#
# A release pins the base by its digest; it is printed by
#   docker buildx imagetools inspect gcr.io/distroless/nodejs24-debian13:nonroot
# and given as --build-arg BASE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:...
ARG BASE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM node:24-trixie-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN node image/bundle.ts --out /millrace

FROM ${BASE}
LABEL org.opencontainers.image.title="millrace" \
      org.opencontainers.image.description="Kafka-style streams as Kubernetes resources: replicated, ordered, durable topics by an operator and gRPC brokers" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /millrace /millrace
WORKDIR /millrace
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "/millrace/image/entry.js"]

